"""``relax dsd``, or another verb, run in the test's own process, and small files for it."""

import contextlib
import io
import json
import logging
import os
from pathlib import Path

from relax import cli
from relax.data.problem_files import write_problems
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
