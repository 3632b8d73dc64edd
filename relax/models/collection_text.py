"""A collection of the hub as text: a list in comments of YAML, and below it the blocks for a configuration."""

import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import yaml

from relax.config.data import VERL
from relax.models.collection import Collection, Item, shown
from relax.models.folder import PICKLED

#: What the hub calls an item -> what the list calls it.
_KINDS = {"dataset": "data set"}
#: Files of a data set that are named one by one.
_LISTED = 12
_ACCESS = "gated: its files need the token of an account with access; ask for access on its page, and set HF_TOKEN"


def usable(collection: Collection) -> list[Item]:
    """The models that the key `hub` of a policy can name, in the collection's order."""
    return [item for item in collection.of("model") if item.refused is None]


def text(collection: Collection) -> str:
    """What ``relax fetch --collection`` prints. The whole is YAML that a configuration can begin with.

    The list and the blocks that need a decision are comments. ``policies:`` has a block for every usable model, with
    the newest commit, and names made of the repositories' names in small letters.
    """
    counts = Counter(_KINDS.get(item.kind, item.kind) for item in collection.items)
    holds = ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items())
    lines = [
        f"{shown(collection.title)} ({shown(collection.slug)}): "
        f"{holds or 'nothing; private repositories are shown to accounts that may read them'}"
    ]
    for item in collection.items:
        lines += ["", *_described(item)]
    lines = [f"# {line}".rstrip() for line in lines]
    for block in (_policies(usable(collection)), _data(collection.of("dataset"))):
        lines += ["", *block] if block else []
    return "\n".join(lines)


# The list -----------------------------------------------------------------------------------------------


def _described(item: Item) -> list[str]:
    name = f"{_KINDS.get(item.kind, item.kind)} {shown(item.name)}"
    if item.unread is not None:
        nested = f"; list it with `relax fetch --collection {shown(item.name)}`" if item.kind == "collection" else ""
        return [f"{name}: {item.unread}{nested}"]
    lines = [f"{name} at {item.commit}{f', made {item.made}' if item.made else ''}"]
    formats = _formats(item)
    lines += [f"  {'; '.join(formats)}"] if formats else []
    if item.kind == "model" and (bases := _texts(item.card.get("base_model"))):
        lines.append(f"  base model: {', '.join(bases)}")
    if item.kind == "dataset":
        files = sorted(_content(item))
        lines += [f"  - {shown(file)}, {_size(item.files[file])}" for file in files[:_LISTED]]
        lines += [f"  and {len(files) - _LISTED} more"] if len(files) > _LISTED else []
    lines += [f"  {_ACCESS}"] if item.gated else []
    lines += [f"  refused: {item.refused}"] if item.refused else []
    return lines


def _content(item: Item) -> list[str]:
    """Files of a data set but for its page and what begins with a dot."""
    return [file for file in item.files if file != "README.md" and not PurePosixPath(file).name.startswith(".")]


def _formats(item: Item) -> list[str]:
    """A clause about the files of each format: the weights of a model, all of a data set."""
    formats: dict[str, list[int | None]] = {}
    for file in _content(item):
        ending = PurePosixPath(file).suffix.lower()
        if item.kind == "model":
            ending = (
                "pickles" if ending in PICKLED else {".safetensors": "safetensors", ".gguf": "GGUF"}.get(ending, "")
            )
        if ending:
            formats.setdefault(ending.removeprefix("."), []).append(item.files[file])
    return [
        f"{shown(name)} {_size(_total(sizes))} in {len(sizes)} file{'s' if len(sizes) > 1 else ''}"
        for name, sizes in sorted(formats.items())
    ]


def _total(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _size(number: int | None) -> str:
    if number is None:
        return "of unknown size"
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= unit:
            return f"{_short(number / unit)} {name}"
    return f"{number} byte{'' if number == 1 else 's'}"


def _short(value: float) -> str:
    """Three digits that count, and no exponent, which YAML would take for a text."""
    return format(Decimal(f"{value:.3g}"), "f")


# The blocks ---------------------------------------------------------------------------------------------


def _policies(models: list[Item]) -> list[str]:
    if not models:
        return []
    lines, taken = ["# The models that can be read. Name those that are to run in matrix.policies.", "policies:"], set()
    for model in models:
        name = _name(model.name.rpartition("/")[2])
        if name in taken:
            name = _name(model.name.replace("/", "-"))
        taken.add(name)
        bases = _texts(model.card.get("base_model"))
        lines += [
            f"  {_written(name)}:{f'  # base model: {bases[0]}' if bases else ''}",
            "    hub:",
            f"      repo: {_written(model.name)}",
            f"      revision: {_written(model.commit)}",
            f"      parameters: {_parameters(model)}",
        ]
        lines += [f'      released: "{model.made}"  # the day its repository was made'] if model.made else []
    return lines


def _parameters(model: Item) -> str:
    if model.parameters:
        return f"{_short(model.parameters / 1e9)}  # billions, as the hub counts them in its safetensors files"
    size = _total([size for file, size in model.files.items() if "/" not in file and file.endswith(".safetensors")])
    if size:
        return f"{_short(size / 2e9)}  # billions; a guess, two bytes of its files for each"
    return "1  # billions; a placeholder, since the hub names neither parameters nor sizes: see its page"


def _data(sets: list[Item]) -> list[str]:
    """The block for data sets, in comments: it would take the place of the problems that a configuration has."""
    known = [item for item in sets if item.unread is None]
    if not known:
        return []
    lines = ["The data sets. Take out the number signs and the data sets not wanted, and replace words in capitals."]
    lines += ["data:", "  source: hub", "  datasets:"]
    for item in known:
        entry, said = _entry(item)
        lines += [f"    {'- ' if number == 0 else '  '}{line}" for number, line in enumerate(entry)]
        lines += [f"      # {said}"] if said else []
    return [f"# {line}" for line in lines]


def _entry(item: Item) -> tuple[list[str], str]:
    """The keys of an entry of ``data.datasets`` that its card answers, and what else the card says of columns."""
    info, config = _first(item.card.get("dataset_info")), _first(item.card.get("configs"))
    columns = [name for feature in _entries(info.get("features")) for name in _texts(feature.get("name"))]
    splits = [name for split in _entries(info.get("splits")) for name in _texts(split.get("name"))]
    splits += [name for split in _entries(config.get("data_files")) for name in _texts(split.get("split"))]
    names = [name for name in _texts(info.get("config_name") or config.get("config_name")) if name != "default"]
    lines = [f"repo: {_written(item.name)}", f"revision: {_written(item.commit)}"]
    lines += [f"config: {_written(names[0])}"] if names else []
    lines.append(f"split: {_written(splits[0] if splits and 'train' not in splits else 'train')}")
    if {"prompt", "reward_model"} <= {*columns}:
        lines += [f"{key}: {column}" for key, column in VERL.items()]
        lines += ["images: images"] if "images" in columns else []
        return lines, "its columns are those of veRL"
    said = f"its columns: {', '.join(columns)}" if columns else "its page names no columns; look at its files"
    return [*lines, "prompt: COLUMN", "answer: COLUMN"], said


def _name(repository: str) -> str:
    """A repository's name as that of a policy."""
    return re.sub(r"^[^a-z0-9]+", "", repository.lower()) or "policy"


def _written(value: str) -> str:
    """A text as YAML reads it back: in quotes where it would be a number, a date or a truth value without them."""
    try:
        return value if yaml.safe_load(value) == value else json.dumps(value)
    except yaml.YAMLError:
        return json.dumps(value)


# The card, which anyone may have written ----------------------------------------------------------------


def _texts(value: Any) -> list[str]:
    return [shown(each) for each in (value if isinstance(value, list) else [value]) if isinstance(each, str) and each]


def _entries(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _first(value: Any) -> dict[str, Any]:
    return next(iter(_entries(value if isinstance(value, list) else [value])), {})
