"""``relax reference``: what is tracked of a finished run, in ``results/reference/<name>/``.

Tables and findings as Markdown, one row per run as CSV, the claims' status, and the records without what is large or
of one machine alone.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relax.errors import ConfigError, DataError
from relax.files import atomic_folder
from relax.paper.claims import CONTENT
from relax.records.record import digest_path, read_record
from relax.records.why import Chain, configuration

RUNS = "runs.json"
#: Of a record, beside what all records may share.
KEPT = (
    "verb",
    "identity",
    "settings_hash",
    "config_hash",
    "seeds",
    "inputs",
    "outputs",
    "started",
    "wall_seconds",
    "cpu_seconds",
    "peak_memory_mb",
)
#: What all records of a run usually share; where they do not, each has its own.
SHARED = ("configuration", "git", "versions", "machine")


def make_reference(root: str | Path, out: str | Path) -> list[Path]:
    """Copy what is tracked of a finished run; what lay in ``out`` before is gone. Returns the files.

    Args:
        root: ``results/<name>``, with its tables.
        out: ``results/reference/<name>``.

    Raises:
        ConfigError: ``out`` holds something else.
        DataError: there are no tables, or they are not those of the records beside them.
    """
    root, out = Path(root).absolute(), Path(out)
    if out.exists() and any(out.iterdir()) and not (out / RUNS).is_file():
        raise ConfigError(f"{out}: is not a reference folder (it holds no {RUNS}); give --out another or remove it.")
    tables, chain = read_record(root / "tables"), Chain(root)
    for path, recorded in (tables["inputs"] | tables["outputs"]).items():
        place = root / chain.place(path)
        if not place.exists() or digest_path(place) != recorded:
            raise DataError(f"{place}: is not what the tables were made with; run `relax tables` again.")
    places = [chain.place(path) for path in tables["outputs"]]
    copied = [root / place for place in places if place.endswith((".md", "/runs.csv", f"/{CONTENT}"))]
    folders = [Path(chain.place(path)).parent.as_posix() for path in tables["inputs"]]
    content = _runs(chain, {folder: chain.records[folder] for folder in folders if folder in chain.records})
    with atomic_folder(out) as folder:
        for path in copied:
            (folder / path.name).write_bytes(path.read_bytes())
        (folder / RUNS).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return sorted(out.iterdir())


def _runs(chain: Chain, records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    about = {folder: _about(record) for folder, record in records.items()}
    shared = {key: _common([own[key] for own in about.values()]) for key in SHARED}
    runs = []
    for folder, record in records.items():
        run = {"folder": folder, **{key: record[key] for key in KEPT}}
        for key in ("inputs", "outputs"):
            run[key] = {_path(chain, path): recorded for path, recorded in record[key].items()}
        runs.append(run | {key: about[folder][key] for key in SHARED if shared[key] is None})
    return {**{key: value for key, value in shared.items() if value is not None}, "runs": runs}


def _about(record: Mapping[str, Any]) -> dict[str, Any]:
    machine = record.get("machine") or {}
    return {
        "configuration": configuration(record),
        "git": record["git"],
        "versions": record["versions"],
        "machine": {key: machine.get(key) for key in ("processor", "cpus", "accelerator")},
    }


def _common(values: Sequence[Any]) -> Any:
    return values[0] if values and all(value == values[0] for value in values) else None


def _path(chain: Chain, path: str) -> str:
    """As recorded; of an absolute one what lies below the results folder, or the name of a file outside it."""
    if not path.startswith("/"):
        return path
    place = chain.place(path)
    return Path(path).name if place == path else f"results/{chain.root.name}/{place}"


def changed_records(root: Path) -> list[str]:
    """Folders of the records that were made with uncommitted changes."""
    runs = json.loads((root / RUNS).read_text(encoding="utf-8"))
    states = {run["folder"]: run.get("git", runs.get("git")) for run in runs["runs"]}
    return [folder for folder, state in states.items() if state["dirty"]]
