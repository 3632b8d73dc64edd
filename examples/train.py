"""Train a language model with ReLaX, on data and with a reward of your own. The script runs on a CPU as it is.

python examples/train.py           trains a tiny model that is made here, in about half a minute
python examples/train.py MODEL     trains a model from a folder, or by its name on the Hugging Face hub
"""

import sys
from typing import Any

from datasets import Dataset
from tiny_model import tiny_model

from relax import ReLaXConfig, ReLaXTrainer

# The data: a problem a row. Every column but `prompt` is handed to the reward.
problems = Dataset.from_list(
    [
        {"prompt": f"Write the digits from {first} to {last}.", "digits": "0123456789"[first : last + 1]}
        for first in range(5)
        for last in range(first + 2, 10)
    ]
)


def digits_written(completions: list[str], digits: list[str], **columns: Any) -> list[float]:
    """The reward: of the digits that were asked for or written, the share that is both."""
    written = [set(filter(str.isdigit, text)) for text in completions]
    return [len(found & set(asked)) / len(found | set(asked)) for found, asked in zip(written, digits, strict=True)]


def main(name: str | None) -> None:
    """Train, and print how the reward has changed."""
    arguments = ReLaXConfig(
        output_dir="results/examples/train",
        # The method: the weight of the bonus, the DSD at which it ends, and the weight of the penalty above it.
        alpha=0.1,
        xi="q90",
        beta=0.01,
        koopman_dim=8,  # at most half of the tokens of a response
        # The rest is TRL's.
        learning_rate=1e-5 if name else 3e-3,
        max_steps=5 if name else 30,
        per_device_train_batch_size=32,
        num_generations=8,
        max_completion_length=32,
        logging_steps=5,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = ReLaXTrainer(
        model=name or tiny_model(),
        reward_funcs=digits_written,
        args=arguments,
        train_dataset=problems,
    )
    trainer.train()
    rewards = [row["reward"] for row in trainer.state.log_history if "reward" in row]
    print(f"mean reward: {rewards[0]:.2f} in the first five steps, {rewards[-1]:.2f} in the last five")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
