"""What the paper claims, in ``relax/paper/transcribed/claims.csv``, and where each claim stands by what runs show.

Light on purpose: :mod:`relax.results.claims.runs` computes what runs show, this module reads and writes it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from relax.errors import DataError
from relax.paper.printed import FOLDER, read_lines

FILE = FOLDER / "claims.csv"
#: Links to what `relax reference` has written in ``results/reference/``; in an installed package they are files.
REFERENCE = Path(str(files("relax") / "paper" / "reference"))
CONTENT = "claims.json"
COLUMNS = ["id", "claim", "place", "shown_by", "configuration", "command"]

SEEN, PARTLY, OPPOSITE = "seen", "partly", "opposite"
NOT_SEEN, UNCLEAR, NO_INTERVAL, NOT_RUN = "not seen", "no clear change", "no interval", "not run"
#: From what says most to what says least, where nothing of a claim was seen.
WITHOUT = (OPPOSITE, NOT_SEEN, UNCLEAR, NO_INTERVAL)
#: What each status means.
MEANING = {
    SEEN: "the runs show every part of the claim, each with a 95 % interval over seeds that leaves out the contrary",
    PARTLY: "the runs show some parts of the claim and not all",
    OPPOSITE: "the runs show no part of the claim, and at least one interval lies on the other side",
    NOT_SEEN: "the runs show no part of the claim, and a threshold is missed",
    UNCLEAR: "the runs show no part of the claim, and the intervals contain both sides, which does not prove absence",
    NO_INTERVAL: "there is one run, or the runs agree to the last digit, so an effect cannot be told from chance",
    NOT_RUN: "nothing has run that could show the claim",
}


@dataclass(frozen=True)
class Claim:
    """A claim of the paper; a row of ``claims.csv``.

    Attributes:
        id: short name.
        claim: in our words.
        place: figure or table of the paper.
        shown_by: what runs must show for it.
        configuration: the cheapest that tests it; empty where none does.
        command: that runs it.
    """

    id: str
    claim: str
    place: str
    shown_by: str
    configuration: str
    command: str


def read_claims(path: Path = FILE) -> list[Claim]:
    """The claims, in the order of the file.

    Raises:
        DataError: the file is missing or malformed; names the line.
    """
    claims = []
    for where, fields in read_lines(path, "the paper's claims", COLUMNS):
        if not all(fields[:4]):
            raise DataError(f"{where}: expected {len(COLUMNS)} fields, the first four not empty.")
        claims.append(Claim(*fields))
    if len({claim.id for claim in claims}) < len(claims):
        raise DataError(f"{path}: a claim's id stands twice; give each its own.")
    return claims


def combined(statuses: Iterable[str]) -> str:
    """The status of a whole from those of its parts."""
    found = list(statuses)
    if not found or set(found) == {NOT_RUN}:
        return NOT_RUN
    if set(found) == {SEEN}:
        return SEEN
    if SEEN in found or PARTLY in found:
        return PARTLY
    return next(status for status in WITHOUT if status in found)


def read_references(folder: Path = REFERENCE) -> dict[str, dict[str, Any]]:
    """Name -> ``claims.json`` of every reference run.

    Raises:
        DataError: one does not parse.
    """
    found = {}
    for path in sorted(folder.glob(f"*/{CONTENT}")):
        try:
            found[path.parent.name] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path}: not JSON ({error}); make it again with `relax reference`.") from error
    return found


def hours(cost: Mapping[str, float]) -> str:
    """``12 GPU h, 14 CPU h``; nothing without a run."""
    named = {"GPU h": cost.get("gpu_hours") or 0, "CPU h": cost.get("cpu_hours") or 0}
    return ", ".join(f"{value:.2g} {unit}" for unit, value in named.items() if value > 0)


def made_by(content: Mapping[str, Any]) -> str:
    """Configuration, commit, date and machine behind a ``claims.json``, in a sentence."""
    commits = [commit[:10] for commit in content["commits"]]
    changes = f" ({content['uncommitted']} records with uncommitted changes)" if content["uncommitted"] else ""
    return (
        f"made with {' + '.join(content['configuration']) or 'no recorded configuration'} "
        f"from commit{'s' * (len(commits) > 1)} {', '.join(commits) or 'none'}{changes} "
        f"on {(content['started'] or 'no recorded date')[:10]}, on a machine with {content['machine']}, "
        f"with seeds {', '.join(map(str, content['seeds']))}."
    )


INTRODUCTION = """\
# The paper's claims, and where they stand

`relax claims --out docs/claims.md` writes this page from two sources. The list
[relax/paper/transcribed/claims.csv](../relax/paper/transcribed/claims.csv) says what would show each claim. The file
`claims.json` of each reference run in [results/reference/](../results/README.md) says what its runs show.
`relax tables` computes that file from run records. No status is typed in. A small policy is no evidence about a large
one, so every status names the policy on which it was seen.

DSD (dynamic spectral dispersion) says how varied the motion of a model's hidden states is, and ReLaX adds a bonus on
DSD to GRPO. alpha is the weight of the bonus, and xi is the DSD above which the bonus stops. DSD is computed from
eigenvalues or from singular values, so every DSD names its spectrum. The values of alpha and xi belong to the spectrum
and are not the paper's unless the page says so. [method.md](method.md) has the equations.
"""


def to_page(claims: list[Claim], contents: Mapping[str, Mapping[str, Any]]) -> str:
    """``docs/claims.md``: the claims beside all reference runs."""
    return f"{INTRODUCTION}\n{to_markdown(claims, contents)}"


def to_markdown(claims: list[Claim], contents: Mapping[str, Mapping[str, Any]]) -> str:
    """A table of the claims, what each status means, and the numbers behind each.

    Args:
        claims: as of :func:`read_claims`.
        contents: name of a results folder -> what its runs show (:func:`relax.results.claims.runs.judge_claims`).
    """
    lines = ["| Claim | Paper | Command | Cost | Status |", "| --- | --- | --- | --- | --- |"]
    for claim in claims:
        cells = [
            claim.claim,
            claim.place,
            f"`{claim.command}`" if claim.command else "none yet",
            *_standing(claim, contents),
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += [
        "",
        "The cost counts the hours of all runs behind the status, from data to scores. The claims of one experiment "
        "share these hours.",
    ]
    lines += ["", "## What a status says", "", *(f"- *{status}*: {words}." for status, words in MEANING.items())]
    lines += ["", "## The runs", "", *(f"- {name}: {made_by(content)}" for name, content in contents.items())]
    lines += [] if contents else ["None."]
    lines += ["", "## The numbers", ""]
    for claim in claims:
        lines += _details(claim, contents)
    return "\n".join(lines).rstrip() + "\n"


def _standing(claim: Claim, contents: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """Cost and status over all results folders in which something of the claim has run."""
    run = {name: found for name, c in contents.items() if (found := _of(claim, c))["status"] != NOT_RUN}
    cost = "; ".join(hours(found) for found in run.values())
    policies = {n: ", ".join(dict.fromkeys(_policy(o) for o in found["outcomes"])) for n, found in run.items()}
    status = "; ".join(f"{found['status']} ({name}: {policies[name]})" for name, found in run.items())
    return cost or "none yet", status or NOT_RUN


def _of(claim: Claim, content: Mapping[str, Any]) -> Mapping[str, Any]:
    return content["claims"].get(claim.id, {"status": NOT_RUN, "outcomes": []})


def _policy(outcome: Mapping[str, Any]) -> str:
    return outcome["policy"] + (f", {outcome['size']}" if outcome["size"] else "")


def _details(claim: Claim, contents: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [f"### {claim.claim} ({claim.place})", "", f"What would show the claim: {claim.shown_by}", ""]
    for name, content in contents.items():
        for outcome in _of(claim, content)["outcomes"]:
            lines += [f"{name}, {_policy(outcome)}, {outcome['subject']}: **{outcome['status']}**", ""]
            lines += [f"- *{part['status']}*: {part['text']}" for part in outcome["parts"]]
            lines += ["", outcome["note"], ""] if outcome["note"] else [""]
    if not any(_of(claim, content)["outcomes"] for content in contents.values()):
        lines += ["No run tests this claim yet." if claim.command else "No configuration tests this claim yet.", ""]
    return lines
