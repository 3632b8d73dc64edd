"""``relax why``: the chain of run records behind a result, and where a link is missing or a hash differs."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relax.config import digest, local_files
from relax.errors import ConfigError, DataError
from relax.records.code import RERUN, changed
from relax.records.container import in_words
from relax.records.record import RECORD, digest_path, find_records

#: What identifies a run, in the order in which it is written.
IDENTITY = ("policy", "method", "seed", "benchmark")
#: So many outputs of a record are shown, or else the one that was asked for.
SHOWN = 8


@dataclass
class Link:
    """A run record in the chain.

    Attributes:
        folder: of the record, relative to the results folder.
        record: its content.
        faults: what does not fit: inputs or outputs that are missing, or have changed since; settings that do not give
            their hash; other code now than then, of a stage that the pipeline would run again for it.
        remarks: what is worth knowing and no fault.
        behind: the records that made its inputs.
    """

    folder: str
    record: Mapping[str, Any]
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    behind: list["Link"] = field(default_factory=list)


class Chain:
    """The records of a results folder by what they made.

    Args:
        root: ``results/<name>``.
        found: its records, as (folder, record), where they are read already.

    Raises:
        DataError: a record does not parse, or is not one.
    """

    def __init__(self, root: Path, found: Sequence[tuple[Path, Mapping[str, Any]]] | None = None) -> None:
        self.root = root.absolute()
        records = find_records(root) if found is None else found
        self.records = {folder.relative_to(root).as_posix(): _whole(folder, record) for folder, record in records}
        names = {root.name, *(record["identity"].get("name") for record in self.records.values())}
        self._inside = [f"results/{name}/" for name in sorted(filter(None, names), key=len, reverse=True)]
        self._digests: dict[str, str] = {}
        self._links: dict[str, Link] = {}

    def place(self, path: str | Path) -> str:
        """A path, as recorded on whatever machine, relative to the results folder; as it is if it lies elsewhere."""
        text, resolved = Path(path).as_posix(), Path(path).absolute()
        if named := next((inside for inside in self._inside if text.startswith(inside)), None):
            return text.removeprefix(named)  # from wherever it is read
        if resolved.is_relative_to(self.root):
            return resolved.relative_to(self.root).as_posix()
        return next((text.partition(inside)[2] for inside in self._inside if inside in text), text)

    def digest(self, place: str) -> str:
        """Hash of a file or folder as it is now."""
        if place not in self._digests:
            self._digests[place] = digest_path(self.root / place)
        return self._digests[place]

    def maker(self, place: str) -> str | None:
        """Folder of the record that made a file or folder: the nearest one that holds and names it, or any that names
        it (the report lies above its record)."""
        for folder in (place, *(parent.as_posix() for parent in Path(place).parents)):
            record = self.records.get(folder)
            if record and (folder == place or any(self._holds(output, place) for output in record["outputs"])):
                return folder
        for folder, record in self.records.items():
            made = [self.place(output) for output in record["outputs"]]
            if any(place == output or place.startswith(f"{output}/") for output in made):
                return folder
        return None

    def link(self, folder: str) -> Link:
        """The record with everything behind it; every record once."""
        if folder in self._links:
            return self._links[folder]
        record = self.records[folder]
        made = self._links[folder] = Link(folder, record)
        if digest(record["settings"]) != record["settings_hash"]:
            made.faults.append(f"its settings do not give their recorded hash {record['settings_hash']}")
        if other := changed(record):
            told = made.faults if record["verb"] in RERUN else made.remarks
            told.append(f"its code has changed since: {other}")
        named = local_files(record["settings"])
        for path, recorded in record["outputs"].items():
            self._check(made, self.place(path), recorded, "it wrote")
        for path, recorded in record["inputs"].items():
            place = self.place(path)
            if path in named and place == path:
                self._check_local(made, path, recorded)
                continue
            self._check(made, place, recorded, "it read")
            maker = self.maker(Path(place).parent.as_posix() if place.endswith(f"/{RECORD}") else place)
            if maker is None:
                made.faults.append(f"no record says who made {place}")
            elif maker != folder:
                made.behind.append(self.link(maker))
        return made

    def _check(self, link: Link, place: str, recorded: str, what: str) -> None:
        if not (self.root / place).exists():
            link.faults.append(f"{place}, which {what}, is missing")
        elif self.digest(place) != recorded:
            link.faults.append(f"{place} is not what {what}: hash {self.digest(place)}, recorded {recorded}")

    def _check_local(self, link: Link, path: str, recorded: str) -> None:
        """A file of the user's, that no stage made; another machine may not have it."""
        found = next((place for folder in (self.root.parents[1], Path()) if (place := folder / path).exists()), None)
        if found is None:
            link.remarks.append(f"{path}, which it read, is not on this machine")
        elif (now := digest_path(found)) != recorded:
            link.faults.append(f"{path} is not what it read: hash {now}, recorded {recorded}")

    def _holds(self, output: str, place: str) -> bool:
        made = self.place(output)
        return place == made or place.startswith(f"{made}/") or made.startswith(f"{place}/")


def _whole(folder: Path, record: Any) -> Mapping[str, Any]:
    kinds = {
        "verb": str,
        "identity": dict,
        "settings": dict,
        "settings_hash": str,
        "seeds": dict,
        "inputs": dict,
        "outputs": dict,
        "started": str,
    }
    for key, kind in kinds.items():
        if not isinstance(record, dict) or not isinstance(record.get(key), kind):
            raise DataError(
                f"{folder / RECORD}: not a run record ({key!r} is missing or not a {kind.__name__}); remove this "
                "folder and run its step again."
            )
    return record


def why(path: str | Path, only: Mapping[str, Any]) -> tuple[str, int]:
    """The chain behind a file or folder of a results folder, as text, and how many faults it has.

    Args:
        path: e.g. ``results/demo/tables/final.md``.
        only: policy, method, seed, benchmark: runs of others are left out; None is any.

    Raises:
        DataError: there is no such file, or no record speaks of it.
        ConfigError: no run of this results folder has such a policy, method, seed or benchmark.
    """
    path = Path(path).absolute()
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; give one below results/<name>/.")
    root = next((parent for parent in (path, *path.parents) if (parent / "data" / RECORD).is_file()), None)
    if root is None:
        raise DataError(
            f"{path}: not below a results folder (none of its parents holds data/{RECORD}); give a file or "
            "folder below results/<name>/."
        )
    chain = Chain(root)
    _check_names(chain, only)
    place = chain.place(path)
    maker = chain.maker(place)
    if maker is None:
        raise DataError(f"{path}: no run record says that it made this; it may be a log, or made by hand.")
    links = list(_chosen(chain.link(maker), only, set()))
    seen = [link for link, _ in links]
    usual = _usual(seen)
    lines = [f"{root.name}/{place}  {chain.digest(place)}", "", "where nothing else is said:"]
    lines += [f"  {key:<13}  {value}" for key, value in usual.items()]
    lines.append("")
    for link, depth in links:
        lines += _record(chain, link, place, usual, "  " * depth)
    faults = sum(len(link.faults) for link in seen)
    verdict = (
        "every link is there and every hash as recorded"
        if not faults
        else f"{faults} {'fault' if faults == 1 else 'faults'}, marked !"
    )
    runs = f"{len(seen)} {'run' if len(seen) == 1 else 'runs'} behind it"
    return "\n".join([*lines, "", f"{runs}; {verdict}."]), faults


def _check_names(chain: Chain, only: Mapping[str, Any]) -> None:
    for kind, name in only.items():
        found = {record["identity"].get(kind) for record in chain.records.values()} - {None}
        if name is not None and name not in found:
            there = ", ".join(map(str, sorted(found)))
            raise ConfigError(f"no run in {chain.root} has the {kind} {name!r}; there are {there}.")


def _chosen(link: Link, only: Mapping[str, Any], seen: set[str], depth: int = 0) -> Iterator[tuple[Link, int]]:
    """(record, depth) from the last record down to the data, every record once."""
    seen.add(link.folder)
    yield link, depth
    for behind in link.behind:
        if behind.folder not in seen and _wanted(behind.record["identity"], only):
            yield from _chosen(behind, only, seen, depth + 1)


def _about(record: Mapping[str, Any]) -> dict[str, str]:
    """What most records of a results folder share."""
    git, machine = record.get("git") or {}, record.get("machine") or {}
    name, accelerator = machine.get("processor"), machine.get("accelerator") or "no accelerator"
    processors = f"{machine.get('cpus')} processors" + (f" ({name})" if name else "")
    return {
        "configuration": f"{' + '.join(configuration(record)) or 'none'}, hash {record.get('config_hash')}",
        "commit": (git.get("commit") or "none") + (" with uncommitted changes" if git.get("dirty") else ""),
        "versions": ", ".join(f"{name} {version}" for name, version in (record.get("versions") or {}).items()),
        "image": in_words(record),
        "machine": f"{machine.get('system')}, {processors}, {accelerator}",
    }


def _usual(links: list[Link]) -> dict[str, str]:
    about = [_about(link.record) for link in links]
    return {key: Counter(found[key] for found in about).most_common(1)[0][0] for key in about[0]}


def _record(chain: Chain, link: Link, asked: str, usual: Mapping[str, str], indent: str) -> Iterator[str]:
    """The lines about a record: command, date, settings, seeds; what is unusual; faults; what it read and wrote."""
    record = link.record
    seeds = ", ".join(f"{name} {value}" for name, value in record["seeds"].items())
    started = record["started"][:19].replace("T", " ")
    parts = [f"{command(record)}, {started} UTC, settings {record['settings_hash']}", f"seed {seeds}" if seeds else ""]
    yield f"{indent}{link.folder}: {', '.join(filter(None, parts))}"
    yield from (f"{indent}  {key} {value}" for key, value in _about(record).items() if value != usual[key])
    yield from (f"{indent}  ! {fault}" for fault in link.faults)
    yield from (f"{indent}  ({remark})" for remark in link.remarks)
    yield from (f"{indent}  from {source}" for source in _sources(record))
    read = {chain.place(path): recorded for path, recorded in record["inputs"].items()}
    files = [f"{place} {recorded}" for place, recorded in read.items() if not place.endswith(f"/{RECORD}")]
    files += [f"{len(read) - len(files)} run records"] if len(files) < len(read) else []
    if files:
        yield f"{indent}  read {', '.join(files)}"
    wrote = {chain.place(path): recorded for path, recorded in record["outputs"].items()}
    own = [place for place in wrote if place == asked or len(wrote) <= SHOWN]
    names = [f"{place.removeprefix(f'{link.folder}/')} {wrote[place]}" for place in own]
    names += [f"{len(wrote) - len(own)} {'other ' if own else ''}files"] if len(own) < len(wrote) else []
    if names:
        yield f"{indent}  wrote {', '.join(names)}"


def command(record: Mapping[str, Any]) -> str:
    """The command of a record without its configuration files and paths, which stand elsewhere."""
    arguments = list(record.get("arguments") or [record["verb"]])
    options: list[list[str]] = []
    for text in arguments[1:]:
        if text.startswith("--") or not options:
            options.append([])
        options[-1].append(text)
    named = [option for option in options if option[0].removeprefix("--") in (*IDENTITY, "part")]
    return " ".join(["relax", record["verb"], *(text for option in named for text in option)])


def configuration(record: Mapping[str, Any]) -> list[str]:
    """The configuration files that a verb was given, as typed; of those outside the repository the name alone."""
    arguments, files = list(record.get("arguments") or []), []
    start = arguments.index("--configfile") + 1 if "--configfile" in arguments else len(arguments)
    for text in arguments[start:]:
        if text.startswith("--"):
            break
        files.append(text.rpartition("/")[2] if text.startswith("/") else text)
    return files


def _sources(record: Mapping[str, Any]) -> list[str]:
    """Data sets and checkpoints of the hub, and wheels, that a record names in its settings."""
    settings = record.get("settings") or {}
    policy = settings.get("policy", {})
    named = [*settings.get("datasets", []), policy.get("hub")]
    found = [f"{source['repo']} @ {source['revision']}" for source in named if source]
    if wheel := policy.get("wheel"):
        found.append(f"{wheel['file']} of {wheel['package']} {wheel['version']}, SHA-256 {wheel['sha256'][:12]}")
    return found


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
