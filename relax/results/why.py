"""``relax why``: the chain of run records behind a result, and where a link is missing or a hash differs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relax.errors import DataError
from relax.tracking import RECORD, digest_path, find_records

#: What identifies a run, in the order in which it is written.
IDENTITY = ("policy", "method", "seed", "benchmark")
#: Versions that are shown; the record has the others.
SHOWN_VERSIONS = ("torch", "transformers", "trl", "lm-eval", "vllm")


@dataclass
class Link:
    """A run record in the chain.

    Attributes:
        folder: of the record, relative to the results folder.
        record: its content.
        faults: what does not fit: inputs or outputs that are missing, or have changed since.
        behind: the records that made its inputs.
    """

    folder: str
    record: Mapping[str, Any]
    faults: list[str] = field(default_factory=list)
    behind: list["Link"] = field(default_factory=list)


class Chain:
    """The records of a results folder by what they made.

    Args:
        root: ``results/<name>``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.records = {folder.relative_to(root).as_posix(): record for folder, record in find_records(root)}
        self._digests: dict[str, str] = {}
        self._links: dict[str, Link] = {}

    def place(self, path: str | Path) -> str:
        """A path, as recorded on whatever machine, relative to the results folder; absolute if it lies elsewhere."""
        text, inside = Path(path).as_posix(), f"results/{self.root.name}/"
        if inside in text:
            return text.partition(inside)[2]
        resolved = Path(path).absolute()
        return resolved.relative_to(self.root).as_posix() if resolved.is_relative_to(self.root) else text

    def maker(self, place: str) -> str | None:
        """Folder of the record that made a file or folder: the nearest one that holds it and names it."""
        for folder in (place, *(parent.as_posix() for parent in Path(place).parents)):
            record = self.records.get(folder)
            if record and (folder == place or any(self._holds(output, place) for output in record["outputs"])):
                return folder
        return None

    def link(self, folder: str) -> Link:
        """The record with everything behind it; every record once."""
        if folder in self._links:
            return self._links[folder]
        record = self.records[folder]
        made = self._links[folder] = Link(folder, record)
        for path, digest in record["outputs"].items():
            self._check(made, self.place(path), digest, "it wrote")
        for path, digest in record["inputs"].items():
            place = self.place(path)
            self._check(made, place, digest, "it read")
            maker = self.maker(Path(place).parent.as_posix() if place.endswith(f"/{RECORD}") else place)
            if maker is None:
                made.faults.append(f"no record says who made {place}")
            elif maker != folder:
                made.behind.append(self.link(maker))
        return made

    def _check(self, link: Link, place: str, digest: str, what: str) -> None:
        path = self.root / place
        if not path.exists():
            link.faults.append(f"{place}, which {what}, is missing")
            return
        if place not in self._digests:
            self._digests[place] = digest_path(path)
        if self._digests[place] != digest:
            link.faults.append(f"{place} is not what {what}: hash {self._digests[place]}, recorded {digest}")

    def _holds(self, output: str, place: str) -> bool:
        made = self.place(output)
        return place == made or place.startswith(f"{made}/") or made.startswith(f"{place}/")


def why(path: str | Path, only: Mapping[str, Any]) -> str:
    """The chain behind a file or folder of a results folder, as text.

    Args:
        path: e.g. ``results/demo/tables/final.md``.
        only: policy, method, seed, benchmark: runs of others are left out; None is any.

    Raises:
        DataError: there is no such file, or no record speaks of it.
    """
    path = Path(path).absolute()
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; give one below results/<name>/.")
    root = next((parent for parent in (path, *path.parents) if (parent / "data" / RECORD).is_file()), None)
    if root is None:
        raise DataError(f"{path}: not below a results folder (none of its parents holds data/{RECORD}).")
    chain = Chain(root)
    place = chain.place(path)
    maker = chain.maker(place)
    if maker is None:
        raise DataError(f"{path}: no run record says that it made this; it may be a log, or made by hand.")
    link = chain.link(maker)
    lines = [f"{root.name}/{place}", *_tree(link, only, set(), 1)]
    faults = sum(line.lstrip().startswith("! ") for line in lines)
    shown = sum("relax " in line for line in lines)
    verdict = "every link is there and every hash as recorded" if not faults else f"{faults} faults, marked !"
    return "\n".join([*lines, "", f"{shown} runs behind it; {verdict}."])


def _tree(link: Link, only: Mapping[str, Any], seen: set[str], depth: int) -> Iterator[str]:
    indent = "  " * depth
    if link.folder in seen:
        yield f"{indent}{link.folder}: above"
        return
    seen.add(link.folder)
    yield f"{indent}{link.folder}: {_words(link.record)}"
    for fault in link.faults:
        yield f"{indent}  ! {fault}"
    for source in _sources(link.record):
        yield f"{indent}  from {source}"
    for behind in link.behind:
        if _wanted(behind.record["identity"], only):
            yield from _tree(behind, only, seen, depth + 1)


def _words(record: Mapping[str, Any]) -> str:
    git, versions = record.get("git") or {}, record.get("versions") or {}
    commit = (git.get("commit") or "no commit")[:12] + (" with changes" if git.get("dirty") else "")
    seeds = " ".join(f"{name} {value}" for name, value in record["seeds"].items())
    shown = " ".join(f"{name} {versions[name]}" for name in SHOWN_VERSIONS if name in versions)
    parts = [
        f"relax {record['verb']}", record["started"], f"commit {commit}", f"settings {record['settings_hash']}",
        f"seed {seeds}" if seeds else "", shown,
    ]  # fmt: skip
    return ", ".join(part for part in parts if part)


def _sources(record: Mapping[str, Any]) -> list[str]:
    """Data sets and checkpoints of the hub that a record names in its settings."""
    settings = record.get("settings") or {}
    named = [*settings.get("datasets", []), settings.get("policy", {}).get("hub")]
    return [f"{source['repo']} @ {source['revision']}" for source in named if source]


def _wanted(identity: Mapping[str, Any], only: Mapping[str, Any]) -> bool:
    # Method and seed of the initial policy (initial, 0) stand behind every run.
    return all(
        only.get(key) is None or identity.get(key) in (None, only[key]) or identity.get("method") == "initial"
        for key in IDENTITY
    )


def record_inputs(root: Path, folders: list[str]) -> dict[str, str]:
    """Paths and hashes of the records that a table or figure was made from, as a record names its inputs."""
    paths = [root / folder / RECORD for folder in folders]
    return {str(path): digest_path(path) for path in paths}
