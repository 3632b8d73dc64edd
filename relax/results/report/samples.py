"""What the policies write, for people to read: responses to the same held-out prompts before and after training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from relax.results.model import INITIAL, Results

#: What the stage `extract` leaves in its folder.
FILE = "responses.parquet"
#: Prompts and trained policies shown, and characters of a text: beyond them its middle is left out.
PROMPTS, METHODS, CHARACTERS = 4, 4, 400


@dataclass(frozen=True)
class Samples:
    """Responses of the initial policy and of trained ones.

    Attributes:
        policy: name of the initial policy.
        seed: of the trained ones.
        writers: ``"initial"``, then methods.
        rows: prompt, and for each writer the response and whether the grader finds it right; None where the policy has
            not been asked the prompt.
    """

    policy: str
    seed: int
    writers: list[str]
    rows: list[tuple[str, list[tuple[str, bool] | None]]]


def samples(results: Results, root: str | Path, policy: str) -> Samples | None:
    """The first response to each of the first prompts, for the first seed that has any; None before ``extract`` ran.

    Nothing is chosen: prompts, samples and methods are the first ones in their order.

    Args:
        results: the runs; their records of ``extract`` say where the responses are.
        root: the results folder.
        policy: name of the initial policy.
    """
    folders = {
        (record["identity"]["method"], record["identity"]["seed"]): Path(root) / record["folder"]
        for record in results.records
        if record["verb"] == "extract"
        and record["identity"]["policy"] == policy
        and (Path(root) / record["folder"] / FILE).is_file()
    }
    seed = next((seed for seed in results.matrix.seeds if any(key[1] == seed for key in folders)), None)
    if (INITIAL, 0) not in folders or seed is None:
        return None
    trained = [method for method in results.matrix.methods if (method, seed) in folders][:METHODS]
    found = [_first(folders[INITIAL, 0]), *(_first(folders[method, seed]) for method in trained)]
    rows = [
        (_cut(found[0][place]["prompt"]), [_shown(one.get(place)) for one in found])
        for place in list(found[0])[:PROMPTS]
    ]
    return Samples(policy, seed, [INITIAL, *trained], rows)


def _first(folder: Path) -> dict[str, dict[str, Any]]:
    """Problem -> the first of its responses, in the order of the problems."""
    table = pd.read_parquet(folder / FILE, columns=["id", "kind", "prompt", "response", "correct"])
    own = table[table.kind == "policy"]
    problems = own.id.str.rpartition("/")[0]
    return own.assign(problem=problems).drop_duplicates("problem").set_index("problem").to_dict("index")


def _shown(row: dict[str, Any] | None) -> tuple[str, bool] | None:
    return None if row is None else (_cut(row["response"]), bool(row["correct"]))


def _cut(text: str) -> str:
    if len(text) <= CHARACTERS:
        return text
    half = CHARACTERS // 2
    return f"{text[:half]} [...] {text[-half:]}"
