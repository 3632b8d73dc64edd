"""ReLaX: reinforcement learning with verifiable rewards and latent exploration (arXiv 2512.07558).

``from relax import ReLaXConfig, ReLaXTrainer`` takes the place of TRL's ``GRPOConfig, GRPOTrainer``;
``relax.koopman`` computes spectra and DSD of any hidden states.

Examples:
    One step of training on a CPU, with a policy made from scratch.

    >>> from datasets import Dataset
    >>> from relax import ReLaXConfig, ReLaXTrainer
    >>> from relax.models.scratch import make_text_model, make_tokenizer
    >>> tokenizer = make_tokenizer("0123456789+= ")
    >>> size = {"hidden_size": 16, "layers": 1, "heads": 2, "key_value_heads": 1, "intermediate_size": 32}
    >>> model = make_text_model({**size, "seed": 0, "initializer_range": 0.06, "rope_theta": 100}, tokenizer)
    >>> config = ReLaXConfig(
    ...     "out", alpha=0.1, koopman_dim=4, max_steps=1, max_completion_length=16,
    ...     num_generations=4, per_device_train_batch_size=4, use_cpu=True, bf16=False, report_to="none",
    ... )
    >>> trainer = ReLaXTrainer(
    ...     model,
    ...     reward_funcs=lambda completions, **_: [float(text.count("1")) for text in completions],
    ...     args=config,
    ...     train_dataset=Dataset.from_dict({"prompt": ["1+1=", "2+2="]}),
    ...     processing_class=tokenizer,
    ... )
    >>> result = trainer.train()
    {'train_runtime': ...}
    >>> result.global_step, trainer.exploration.dictionary.weight.shape
    (1, torch.Size([16, 4]))
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["ReLaXConfig", "ReLaXTrainer", "__version__"]


def __getattr__(name: str) -> Any:
    # Imported on first use: `relax --help` and the workflow must not wait for torch and TRL.
    if name == "ReLaXConfig":
        from relax.training.relax_config import ReLaXConfig

        return ReLaXConfig
    if name == "ReLaXTrainer":
        from relax.training.trainer import ReLaXTrainer

        return ReLaXTrainer
    raise AttributeError(f"module 'relax' has no attribute {name!r}")
