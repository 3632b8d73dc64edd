"""What is tracked of the study's runs: ``results/reference/study/<experiment>/<policy>/<method>.jsonl``, a run a line.

A shape of its own beside :mod:`relax.records.reference`: that folder is a finished experiment's tables and all records
behind them, replaced as a whole; a study has hundreds of runs, which arrive over days and from several machines, and
what is argued from are their curves. So a run is one line of about ten kilobytes: its curves with five significant
digits, its scores, a few of its responses, commit, seed and digests of its settings and of what it was made from. Lines
are added and never changed: collecting the same results again gives the same bytes, a run that is tracked and not in
the results stays, and one that is in both must be the same run.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from relax.errors import DataError
from relax.files import atomic_write
from relax.reading import read_json_lines
from relax.records.links import refuse_changed
from relax.records.record import find_records
from relax.results.model import INITIAL, SPECTRA
from relax.study.escape import step_of_escape

DIGITS = 5
#: Kept of every generation, and of about one in ten steps.
CURVES = ("reward", "entropy", "strategy/chain", *(f"dsd/{s}" for s in SPECTRA))
THINNED = (
    "length",
    "strategy/rote",
    "strategy/neither",
    "kl",
    "share_above_xi",
    "grad_norm",
    "zero_variance_groups",
    *(f"dsd/{s}/{kind}" for s in SPECTRA for kind in ("ridge_0.1", "matched")),
)
EVERY = 10
PROBES = tuple(f"probe/{s}{ridge}" for s in SPECTRA for ridge in ("", "/ridge_0.1"))
#: Scores: of all problems, and by difficulty.
SCORES = re.compile(r"(subset/\w+/)?(mean|pass)@\d+")
#: Of the koopman stage, which draws responses anew after training.
LATENT = tuple(
    f"{kind}/{name}"
    for kind in ("policy", "probe")
    for name in ("length", *(f"dsd_{s}{ridge}" for s in SPECTRA for ridge in ("", "_ridge_0.1")))
)
#: Verbs behind a run, by the folder of their stage; those that all runs of a policy share stand with the initial one.
OF_A_RUN = ("train", "latent", "koopman", "responses", "grades", "evaluate")
SHARED = ("data", "base", "dictionary")
#: Responses kept of the first and of the last generation, and characters of each.
RESPONSES, CHARACTERS = 2, 400
#: What a tracked run must say of its making, and one that broke down.
MADE = {"commit", "started", "cpus", "accelerator", "cpu_seconds", "settings", "digest"}
BROKE_DOWN = {"commit", "settings", "digest", "ended"}
NO_RUN = "not a run of this file, or one that stands twice; take it from git again."
#: The last line of a training's log that broke down before its record was written.
BROKEN = re.compile(r"(Error|relax train: ).*\b(nan|inf|finite)\b", re.IGNORECASE)

Key = tuple[str, str, str, int]
"""Experiment, policy, method, seed."""
Record = dict[str, Any]


def collect_records(roots: Iterable[str | Path], out: str | Path) -> dict[str, int]:
    """Add the runs of results folders to the tracked records. Returns how many are ``added``, ``known`` and ``kept``.

    A run is taken as soon as it is trained; what of it is made later, such as its scores, is added the next time. A
    training that broke down in non-finite numbers leaves no record but a log that ends in the error: it is taken
    with that sentence, since such a run counts.

    Raises:
        DataError: a run was made with uncommitted changes, or differs from the tracked run of its name, or cannot be
            read. Nothing is written then.
    """
    out = Path(out)
    tracked = read_records(out)
    found = {key: record for root in roots for key, record in _found(Path(root))}
    for key in found.keys() & tracked.keys():
        found[key] = _joined(out, key, tracked[key], found[key])
    _check_foundation(tracked | found)
    _check_settings(tracked | found)
    counts = {
        "added": len(found.keys() - tracked.keys()),
        "known": len(found.keys() & tracked.keys()),
        "kept": len(tracked.keys() - found.keys()),
    }
    lines: dict[Path, list[str]] = {}
    for key, record in sorted((tracked | found).items()):
        lines.setdefault(_path(out, key), []).append(json.dumps(record, ensure_ascii=False, separators=(",", ":")))
    for path, texts in lines.items():
        content = "\n".join(texts) + "\n"
        if not path.is_file() or path.read_text(encoding="utf-8") != content:
            atomic_write(path, content)
    return counts


def read_records(folder: str | Path) -> dict[Key, Record]:
    """All tracked runs, in order; none where the folder is not there.

    Raises:
        DataError: a line is no such record, or stands in the wrong file, or twice; names the line.
    """
    found: dict[Key, Record] = {}
    for path in sorted(Path(folder).glob("*/*/*.jsonl")):
        for where, _, record in read_json_lines(path, "runs"):
            experiment, policy, method = (str(record.get(name)) for name in ("experiment", "policy", "method"))
            seed, made = record.get("seed"), record.get("made")
            if not (isinstance(seed, int) and isinstance(made, dict) and _knows(made)):
                raise DataError(f"{where}: {NO_RUN}")
            key = (experiment, policy, method, seed)
            if _path(Path(folder), key) != path or key in found:
                raise DataError(f"{where}: {NO_RUN}")
            found[key] = dict(record)
    return dict(sorted(found.items()))


def _knows(made: Mapping[str, Any]) -> bool:
    """Does a run say where it comes from? One that broke down says how it ended instead."""
    return made.keys() >= BROKE_DOWN if made.get("commit") is None else made.keys() >= MADE


def _path(folder: Path, key: Sequence[Any]) -> Path:
    return folder / str(key[0]) / str(key[1]) / f"{key[2]}.jsonl"


def _check_foundation(records: Mapping[Key, Record]) -> None:
    """Runs of one initial policy must have started from the same weights and problems, to the last bit."""
    seen: dict[tuple[str, str, str], tuple[str, Key]] = {}
    for key, record in records.items():
        for name in ("model", "train.jsonl") if key[2] != INITIAL else ():
            value = record["made"].get("inputs", {}).get(name)
            if value is None:
                continue
            first, other = seen.setdefault((*key[:2], name), (value, key))
            if first != value:
                raise DataError(
                    f"{' '.join(map(str, key))} was trained from another {name} ({value}) than "
                    f"{' '.join(map(str, other))} ({first}); a second machine needs a copy of the first one's data/, "
                    "base/ and dictionary/ before its runs."
                )


def _check_settings(records: Mapping[Key, Record]) -> None:
    """The seeds of an arm are runs of one configuration, which does not change between them."""
    seen: dict[tuple[str, str, str, str], tuple[str, Key]] = {}
    for key, record in records.items():
        for verb, value in record["made"]["settings"].items():
            first, other = seen.setdefault((*key[:3], verb), (value, key))
            if first != value:
                raise DataError(
                    f"{' '.join(map(str, key))} was made with other settings ({verb} {value}) than "
                    f"{' '.join(map(str, other))} ({first}); a study has one configuration, the same for all seeds: "
                    "leave out the results that do not belong to it."
                )


def _joined(out: Path, key: Key, old: Record, new: Record) -> Record:
    """One record of a run that is tracked already; what only one of the two knows is kept."""
    name = f"{_path(out, key)}: seed {key[3]}"
    a, b = old["made"]["settings"], new["made"]["settings"]
    if differ := [verb for verb in sorted(a.keys() & b.keys()) if a[verb] != b[verb]]:
        raise DataError(
            f"{name} was made with other settings ({differ[0]} {a[differ[0]]}) than the run in the results "
            f"({b[differ[0]]}); a study has one configuration: leave out the results that do not belong to it."
        )
    if old["made"]["digest"] != new["made"]["digest"]:
        raise DataError(
            f"{name} is another run with the same settings than the one in the results; no run of a study is "
            "repeated: leave out that results folder, or remove the line if it was a mistake."
        )
    return new if b.keys() > a.keys() else old


def _found(root: Path) -> Iterator[tuple[Key, Record]]:
    """(key, record) of every run of a results folder."""
    of_runs: dict[tuple[Any, ...], list[tuple[Path, Record]]] = {}
    shared: dict[Any, list[tuple[Path, Record]]] = {}
    stages = [item for stage in (*SHARED, *OF_A_RUN) for item in find_records(root / stage)]
    if not stages:
        raise DataError(f"{root}: holds no run records; expected a results folder such as results/study.")
    dirty = [f for f, r in stages if r["git"].get("dirty") is not False or r["git"].get("commit") is None]
    if dirty:
        raise DataError(
            f"{dirty[0]}: was made with uncommitted changes or outside a commit (outputs of that kind in {root}: "
            f"{len(dirty)}); what is tracked must be reproducible: commit first, then run."
        )
    for folder, record in stages:
        identity = record["identity"]
        if folder.relative_to(root).parts[0] in SHARED:
            shared.setdefault(identity.get("policy"), []).append((folder, record))
        else:
            key = (identity["name"], identity["policy"], identity["method"], identity["seed"])
            of_runs.setdefault(key, []).append((folder, record))
    for key, records in of_runs.items():
        verbs = {record["verb"] for _, record in records}
        if key[2] == INITIAL:
            yield key, _record(key, [*records, *shared.get(key[1], [])])
        elif "train" in verbs:
            yield key, _record(key, records)
    name = next(record["identity"]["name"] for _, record in stages)
    for log in sorted((root / "logs" / "train").glob("*/*/seed-*.log")):
        key = (name, log.parts[-3], log.parts[-2], int(log.stem.removeprefix("seed-")))
        if key not in of_runs and (said := _breakdown(log)):
            made: dict[str, Any] = {"commit": None, "settings": {}, "digest": None, "ended": said}
            yield key, dict(zip(("experiment", "policy", "method", "seed"), key, strict=True)) | {"made": made}


def _breakdown(log: Path) -> str | None:
    """The error of a training that ended in non-finite numbers; None for any other end, or none yet."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines and BROKEN.search(lines[-1]) else None


def _record(key: Key, records: Sequence[tuple[Path, Record]]) -> Record:
    made = [record for _, record in records]
    first = next((r for r in made if r["verb"] == "train"), made[0])
    result: Record = dict(zip(("experiment", "policy", "method", "seed"), key, strict=True))
    result["made"] = {
        "commit": first["git"]["commit"],
        "started": min(r["started"] for r in made),
        "cpus": first["machine"]["cpus"],
        "accelerator": first["machine"]["accelerator"],
        "cpu_seconds": round(sum(r["cpu_seconds"] for r in made)),
        "wall_seconds": round(sum(r["wall_seconds"] for r in made)),
        "settings": dict(sorted((r["verb"], r["settings_hash"]) for r in made)),
        "inputs": {Path(path).name: digest for path, digest in sorted(first["inputs"].items())},
        "digest": next((d for path, d in sorted(first["outputs"].items()) if path.endswith("metrics.jsonl")), None),
    }
    for folder, record in records:
        if record["verb"] == "train":
            refuse_changed(folder, record)
            training = record["settings"]["training"]
            result |= {"steps": training["steps"], "updates": training["updates_per_generation"]}
            result |= _curves(folder / "metrics.jsonl", training["updates_per_generation"])
            if "strategy/chain" in result["curves"]:
                shares = [math.nan if share is None else share for share in result["curves"]["strategy/chain"]]
                result["escape"] = step_of_escape(shares, result["updates"])
            result["end"] = _numbers({n: v for n, v in record["metrics"].items() if n in (*CURVES, *THINNED, *PROBES)})
            result["seconds"] = _numbers({n: v for n, v in record["metrics"].items() if n.startswith("seconds/")})
            result["responses"] = _responses(folder / "rollouts.jsonl")
    for folder, record in records:
        if record["verb"] == "koopman":
            result["latent"] = _numbers({n: record["metrics"].get(n) for n in LATENT})
        elif record["verb"] == "evaluate":
            scores = {n: v for n, v in record["metrics"].items() if SCORES.fullmatch(n)}
            result.setdefault("scores", {})[folder.name] = _numbers(scores)
    return result


def _curves(path: Path, updates: int) -> Record:
    """Columns of the steps that generate, which have a reward, and of the probes."""
    rows = [row for _, _, row in read_json_lines(path, "training steps")]
    generations = [row for row in rows if "reward" in row]
    few = [row for i, row in enumerate(generations) if i % max(1, EVERY // updates) == 0 or i == len(generations) - 1]
    probed = [row for row in rows if PROBES[0] in row]
    return {
        "curves": _columns(generations, CURVES),
        "thinned": _columns(few, THINNED),
        "probes": _columns(probed, PROBES),
    }


def _columns(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Record:
    known = [name for name in names if any(name in row for row in rows)]
    return {"step": [row["step"] for row in rows]} | {n: [_number(row.get(n)) for row in rows] for n in known}


def _numbers(values: Mapping[str, Any]) -> Record:
    return {name: _number(value) for name, value in sorted(values.items())}


def _number(value: Any) -> float | int | None:
    """Five significant digits; None for what is not finite or not there."""
    if value is None or not math.isfinite(value):
        return None
    rounded = float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def _responses(path: Path) -> list[Record]:
    """The first responses of the first and of the last generation; none where the training kept no sample."""
    if not path.is_file():
        return []
    rows = [row for _, _, row in read_json_lines(path, "responses")]
    ends = [[row for row in rows if row["step"] == step] for step in sorted({rows[0]["step"], rows[-1]["step"]})]
    return [
        {"step": row["step"], "prompt": row["prompt"][:CHARACTERS], "response": row["response"][:CHARACTERS],
         "reward": _number(row["reward"])}
        for end in ends for row in end[:RESPONSES]
    ]  # fmt: skip
