"""``relax dsd``, or another verb, run in the test's own process, and small files for it."""

import contextlib
import io
import json
import logging
import os
from pathlib import Path

import torch

from relax import cli
from relax.data.problem_files import write_problems
from relax.koopman import Dictionary
from relax.koopman import dsd as koopman_dsd
from relax.tasks import noisy_sum

M = 6


def relax_dsd(*options: object) -> tuple[int, str]:
    """Exit code of `relax dsd` and what was on the terminal."""
    return relax("dsd", *options)


def relax(verb: str, *options: object) -> tuple[int, str]:
    """Exit code of a verb and what was on the terminal."""
    root, own = logging.getLogger(), logging.getLogger("relax")
    before, environment, terminal = (root.handlers[:], own.handlers[:]), dict(os.environ), io.StringIO()
    try:
        with contextlib.redirect_stderr(terminal):
            code = cli.main([verb, *map(str, options)])
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        root.handlers, own.handlers = before
        os.environ.clear()
        os.environ.update(environment)
    return code, terminal.getvalue()


def usual_options(policy: Path, prompts: Path) -> list[object]:
    """All options but --out, for a problem file of the pipeline with twelve prompts, which is written."""
    write_problems(prompts, noisy_sum.problems(12, "train", 4, seed=0))
    return [
        "--model",
        policy,
        "--prompts",
        prompts,
        "--samples",
        2,
        "--max-response-length",
        20,
        "--koopman-dim",
        M,
        "--seed",
        3,
    ]


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_rows(path: Path, content: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


def oracle(folder: Path, prompt_ids: list[int], response_ids: list[int], dtype: str = "float32") -> torch.Tensor:
    """States (1, T, d) at the response tokens by transformers' own means, one sequence, no padding."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    with torch.no_grad():
        output = model(torch.tensor([prompt_ids + response_ids]), output_hidden_states=True)
    return output.hidden_states[-1][:, len(prompt_ids) :]


def value_of(states: torch.Tensor, dictionary: Dictionary, spectrum: str, ridge: float) -> float:
    mask = torch.ones(states.shape[:2], dtype=torch.bool)
    return koopman_dsd(states, dictionary.weight, mask, spectrum, ridge).item()


def refused(ended: tuple[int, str], code: int, said: str, out: Path) -> None:
    """One sentence, the exit code of its class, no traceback, nothing written."""
    assert ended[0] == code, ended[1]
    last = ended[1].strip().splitlines()[-1]
    assert said in last
    assert "Traceback" not in ended[1]
    assert not out.exists() or list(out.iterdir()) == []
