"""Draws the pictures of docs/gallery.md from a language model: ``python docs/images/gallery.py --model MODEL``.

MODEL is whatever ``relax dsd --model`` takes and has a chat template. SmolLM2-135M takes about ten minutes on one
thread (``OMP_NUM_THREADS=1``). The same seed, model and machine give the same pictures.
"""

import argparse
import random
from pathlib import Path

import pandas as pd
import torch

from relax.cli.logs import set_up
from relax.config.latent import DictionaryFit
from relax.files import writable_folder
from relax.grading import grade
from relax.latent.dictionary_stage import fit_dictionary
from relax.latent.pretrained import find_model, load_pretrained
from relax.latent.rollouts import Rollout, sample
from relax.latent.states import response_states
from relax.latent.texts import Message, Prompt, rendered
from relax.progress import Progress

HERE = Path(__file__).parent
M, RIDGE, SEED = 12, 1e-3, 0
TEMPERATURES = (0.3, 1.0, 1.5)
#: Tokens of a story and of an answer.
STORY, ANSWER = 160, 40
TOPICS = (
    "a lost dog", "the first snow", "an old clockmaker", "a ship in a storm", "a city without cars", "a talking tree",
    "the last bookshop", "a trip to Mars", "a lighthouse keeper", "two rival bakers", "a hidden garden",
    "a robot that paints", "a flood", "a chess match", "a mountain village", "a train at night", "a stolen violin",
    "a desert well", "the oldest map", "a winter market",
)  # fmt: skip
#: Topics that are shown; W is fitted on stories of the others.
SHOWN = 12
#: Problems that are shown, and samples of each; W is fitted on answers to as many others.
PROBLEMS, SAMPLES = 16, 4


def main() -> None:
    """Sample, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder, GGUF file, or name in the local hub cache")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the pictures (docs/images)")
    arguments = parser.parse_args()
    set_up(None)
    out = writable_folder(arguments.out)
    torch.manual_seed(SEED)
    from gallery_figures import draw

    draw(measure(arguments.model), out)


def measure(name: str) -> dict[str, object]:
    """All that is drawn: the states of each group of responses, the dictionary, and a table of the answers."""
    model, tokenizer = load_pretrained(name, find_model(name), "float32")
    stories = [Prompt(topic, f"Write a long story about {topic}.") for topic in TOPICS]
    problems, golds = sums(2 * PROBLEMS)
    asked = rendered([*stories, *problems], tokenizer, chat=True, model=name)
    told, other = [asked[p.id] for p in stories[:SHOWN]], [asked[p.id] for p in stories[SHOWN:]]
    solved, unsolved = [asked[p.id] for p in problems[:PROBLEMS]], [asked[p.id] for p in problems[PROBLEMS:]]

    def sampled(label: str, of: list, each: int, length: int, temperature: float = 1.0) -> list[Rollout]:
        return sample(model, tokenizer, of, each, length, temperature, SEED, f"gallery: {label}")

    fitted_on = sampled("stories for W", other, 1, STORY) + sampled("answers for W", unsolved, 1, ANSWER)
    how = DictionaryFit(koopman_dim=M, ridge=RIDGE, epochs=200)
    random.Random(SEED).shuffle(fitted_on)
    told_at = {t: sampled(f"stories at temperature {t}", told, 1, STORY, t) for t in TEMPERATURES}
    answers = sampled("answers", solved, SAMPLES, ANSWER)

    def states(rollouts: list[Rollout], label: str) -> list[torch.Tensor]:
        progress, rows = Progress(f"gallery: states of {label}", len(rollouts), unit="responses"), []
        for hidden, mask in response_states(model, rollouts, tokenizer, batch=8):
            rows += [row[: int(length)].clone() for row, length in zip(hidden, mask.sum(1), strict=True)]
            progress.update(len(rows))
        return rows

    moving = [row for row in states(fitted_on, "responses for W") if len(row) > 1]
    dictionary, report = fit_dictionary(moving, how, "gallery")
    written = {
        kind: altered(told_at[1.0], kind) for kind in ("shuffled tokens", "loop of 10", "loop of 4", "one token")
    }
    return {
        "model": name.rstrip("/").rsplit("/", 1)[-1],
        "dictionary": dictionary,
        "report": report,
        "stories": {t: states(rollouts, f"stories at {t}") for t, rollouts in told_at.items()},
        "tokens": {t: [r.response_ids for r in rollouts] for t, rollouts in told_at.items()},
        "altered": {kind: states(rollouts, kind) for kind, rollouts in written.items()},
        "answers": states(answers, "answers"),
        "right": pd.Series([grade(r.response, golds[r.id.rpartition("/")[0]]).correct for r in answers]),
    }


def sums(count: int) -> tuple[list[Prompt], dict[str, str]]:
    """Sums of three digits, each after two worked examples as turns of a chat, and their gold answers by id."""
    triples = random.Random(SEED).sample(
        [(a, b, c) for a in range(1, 10) for b in range(1, 10) for c in range(1, 10)], count
    )
    prompts, golds = [], {}
    for a, b, c in triples:
        turns: list[Message] = []
        for x, y, z in ((4, 7, 5), (8, 3, 9)):
            turns += [_turn("user", f"What is {x} + {y} + {z}?"), _turn("assistant", _worked(x, y, z))]
        name = f"{a} + {b} + {c}"
        prompts.append(Prompt(name, [*turns, _turn("user", f"What is {name}?")]))
        golds[name] = str(a + b + c)
    return prompts, golds


def _turn(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _worked(a: int, b: int, c: int) -> str:
    return f"{a} + {b} = {a + b}. {a + b} + {c} = {a + b + c}. The answer is \\boxed{{{a + b + c}}}."


def altered(rollouts: list[Rollout], kind: str) -> list[Rollout]:
    """The same prompts with other responses of the same length: their tokens in random order, or their beginning again
    and again."""
    made = []
    for rollout in rollouts:
        tokens = list(rollout.response_ids)
        if kind == "shuffled tokens":
            random.Random(SEED).shuffle(tokens)
        else:
            # From the tenth token on, where a story has begun.
            period = tokens[10 : 10 + {"loop of 10": 10, "loop of 4": 4, "one token": 1}[kind]]
            tokens = (period * len(tokens))[: len(tokens)]
        made.append(Rollout(rollout.id, rollout.prompt, rollout.prompt_ids, tokens, ""))
    return made


if __name__ == "__main__":
    main()
