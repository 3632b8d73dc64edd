"""The report's responses: the same prompts before and after training, the first ones, nothing chosen."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from relax.results.model import Matrix, Results
from relax.results.report.samples import CHARACTERS, PROMPTS, Samples, samples

MATRIX = Matrix("m", ("lm",), ("grpo", "relax"), (1, 2), ("b",))


def write(root: Path, method: str, seed: int, answers: dict[str, str]) -> dict:
    folder = root / "latent" / "lm" / method / f"seed-{seed}"
    folder.mkdir(parents=True)
    rows = [
        {"id": f"{problem}/{k}", "kind": "policy", "prompt": f"What is {problem}?", "response": f"{answer} {k}",
         "correct": answer == "good"}
        for problem, answer in answers.items() for k in range(2)
    ]  # fmt: skip
    rows.append({"id": "probe/0", "kind": "probe", "prompt": "probe?", "response": "probed", "correct": None})
    table = pd.DataFrame(rows)
    table["correct"] = pd.array(table.correct, dtype="boolean")
    table.to_parquet(folder / "responses.parquet")
    identity = {"policy": "lm", "method": method, "seed": seed}
    return {"verb": "extract", "identity": identity, "folder": str(folder.relative_to(root))}


def of(records: list[dict[str, Any]], root: Path) -> Samples | None:
    return samples(cast(Results, SimpleNamespace(records=records, matrix=MATRIX)), root, "lm")


def test_the_first_response_of_each_policy_to_the_first_prompts(tmp_path: Path) -> None:
    asked = {f"test/{i}": "bad" for i in range(PROMPTS + 3)}
    records = [
        write(tmp_path, "initial", 0, asked),
        write(tmp_path, "grpo", 2, asked),
        write(tmp_path, "grpo", 1, asked | {"test/1": "good"}),
        {"verb": "train", "identity": {}, "folder": "train"},
    ]
    shown = of(records, tmp_path)
    assert shown is not None
    assert (shown.policy, shown.seed, shown.writers) == ("lm", 1, ["initial", "grpo"])
    assert [prompt for prompt, _ in shown.rows] == [f"What is test/{i}?" for i in range(PROMPTS)]
    assert shown.rows[1][1] == [("bad 0", False), ("good 0", True)]


def test_long_texts_lose_their_middle_and_a_missing_answer_is_said(tmp_path: Path) -> None:
    records = [
        write(tmp_path, "initial", 0, {"a": "x" * CHARACTERS + "end", "b": "bad"}),
        write(tmp_path, "relax", 1, {"a": "good"}),
    ]
    shown = of(records, tmp_path)
    assert shown is not None
    (_, [long, *_]), (_, second) = shown.rows
    assert long is not None
    text, _ = long
    assert " [...] " in text
    assert text.endswith("end 0")
    assert second == [("bad 0", False), None]


@pytest.mark.parametrize("method", ["initial", "grpo"])
def test_nothing_is_shown_before_both_are_there(tmp_path: Path, method: str) -> None:
    record = write(tmp_path, method, 0 if method == "initial" else 1, {"a": "good"})
    assert of([record], tmp_path) is None
