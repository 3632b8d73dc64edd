"""What stands in a collection of the hub: its models and data sets with commit, files and sizes. No file is fetched."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError

from relax.data.hub_cache import IGNORE
from relax.errors import ConfigError, MachineError, RelaxError
from relax.models.folder import INDEX, PICKLED, WHOLE
from relax.models.hub import not_fetched

#: OWNER/NAME. The hub writes a number of 24 hexadecimal digits behind the name and shows some addresses without it.
_SLUG = re.compile(r"[A-Za-z0-9][\w.-]*/\w[\w.-]*", re.ASCII)
_NUMBER = re.compile(r"-[0-9a-f]{24}$")
_TOKEN = "set HF_TOKEN to the token of an account that may read it"


@dataclass(frozen=True)
class Item:
    """A line of a collection.

    Attributes:
        kind: ``model``, ``dataset``, ``space``, ``paper`` or another word of the hub.
        name: on the hub.
        unread: why nothing more is known; None where the hub has answered.
        commit: the newest, of 40 hexadecimal digits.
        files: path in the repository -> bytes, or None where the hub names no size.
        made: day on which the repository was made, such as ``2025-12-10``; None where the hub does not say.
        gated: whether files are given to accounts with access alone.
        parameters: of a model, as the hub counts them in safetensors files; 0 where it has not.
        card: the fields at the head of its page.
    """

    kind: str
    name: str
    unread: str | None = None
    commit: str = ""
    files: dict[str, int | None] = field(default_factory=dict)
    made: str | None = None
    gated: bool = False
    parameters: int = 0
    card: dict[str, Any] = field(default_factory=dict)

    @property
    def refused(self) -> str | None:
        """Why a model cannot be a policy with the key `hub`, as far as its files' names tell; None where it can."""
        return self.unread or (_no_policy(self.files) if self.kind == "model" else None)


@dataclass(frozen=True)
class Collection:
    """A collection: its slug as the hub spells it, its title, and its items in their order."""

    slug: str
    title: str
    items: list[Item]

    def of(self, kind: str) -> list[Item]:
        """Its items of a kind."""
        return [item for item in self.items if item.kind == kind]


def read_collection(slug: str) -> Collection:
    """Ask the hub that ``HF_ENDPOINT`` names for a collection and for each model and data set of it.

    Args:
        slug: ``OWNER/NAME``, as it stands in the collection's address, with or without the number at its end.

    Raises:
        ConfigError: it is no slug, or several collections of the owner have this name.
        MachineError: the hub cannot be reached, or has no such collection for this account.
    """
    if not _SLUG.fullmatch(slug):
        raise ConfigError(
            f"--collection is {slug!r}, expected OWNER/NAME; write what stands behind /collections/ in its address."
        )
    api = HfApi()
    found = _get(api, slug)
    return Collection(found.slug, found.title, [_item(api, item.item_type, item.item_id) for item in found.items])


def _get(api: HfApi, slug: str) -> Any:
    try:
        return api.get_collection(slug)
    except Exception as error:
        # Pages have addresses without the number; the interface that programs ask wants it.
        if _status(error) not in (400, 404) or _NUMBER.search(slug):
            raise _not_given(slug, error) from error
    whole = _with_number(api, slug)
    try:
        return api.get_collection(whole)
    except Exception as error:
        raise _not_given(whole, error) from error


def _with_number(api: HfApi, slug: str) -> str:
    """The slug with its number, out of the list of the owner's collections."""
    owner = slug.partition("/")[0]
    try:
        slugs = [collection.slug for collection in api.list_collections(owner=owner)]
    except Exception as error:
        raise _not_given(slug, error) from error
    same = [each for each in slugs if _NUMBER.sub("", each).casefold() == slug.casefold()]
    if len(same) > 1:
        raise ConfigError(
            f"--collection is {slug}, and {owner} has {len(same)} of that name: give {' or '.join(same)}."
        )
    if not same:
        others = f"; there are {', '.join(map(shown, slugs[:10]))}" if slugs else ""
        raise MachineError(
            f"{slug}: {owner} has no such collection on {constants.ENDPOINT}, or it is private; look at its address, "
            f"or {_TOKEN}{others}."
        )
    return same[0]


def _item(api: HfApi, kind: str, name: str) -> Item:
    if kind not in ("model", "dataset"):
        return Item(kind, name, unread="not read")
    try:
        info: Any = api.repo_info(name, repo_type=kind, files_metadata=True)
    except Exception as error:
        if (why := _kept_back(error)) is None:
            raise not_fetched(name, error) from error
        return Item(kind, name, unread=f"not read; {why}")
    if not re.fullmatch("[0-9a-f]{40}", info.sha or ""):
        return Item(kind, name, unread="not read; the hub names no commit of it")
    made, counted = info.created_at, getattr(info, "safetensors", None)
    return Item(
        kind,
        name,
        commit=info.sha,
        files={sibling.rfilename: sibling.size for sibling in info.siblings or []},
        made=f"{made:%Y-%m-%d}" if isinstance(made, datetime) else None,
        gated=bool(info.gated),
        parameters=counted.total if counted else 0,
        card=info.card_data.to_dict() if info.card_data else {},
    )


def _status(error: Exception) -> int | None:
    return error.response.status_code if isinstance(error, HfHubHTTPError) else None


def _kept_back(error: Exception) -> str | None:
    """Why the hub says nothing of one item, where the others may be read; None for all other faults."""
    if isinstance(error, HFValidationError):
        return "no repository can have this name"
    if isinstance(error, GatedRepoError):
        return f"access to it must be granted; ask for it on its page of the hub, and {_TOKEN}"
    if _status(error) in (401, 403, 404):
        return f"it is private, or it is not there any more; {_TOKEN}"
    return None


def _not_given(slug: str, error: Exception) -> RelaxError:
    status = _status(error)
    if status in (401, 403, 404):
        return MachineError(
            f"{slug}: {constants.ENDPOINT} does not give it (status {status}): there is no such collection, or it is "
            f"private; look at its address, or {_TOKEN}."
        )
    return not_fetched(slug, error)


def _no_policy(files: dict[str, int | None]) -> str | None:
    # What check_folder would refuse after the weights have been fetched.
    fetched = sorted(file for file in files if not any(fnmatch(file, pattern) for pattern in IGNORE))
    if "adapter_config.json" in files:
        return "it is an adapter; merge it into its model, and name the folder under `path`"
    if WHOLE in files or INDEX in files:
        return None if "config.json" in files else "config.json is missing"
    if below := [file for file in fetched if PurePosixPath(file).name in (WHOLE, INDEX)]:
        folder = shown(PurePosixPath(below[0]).parent)
        return (
            f"its weights lie in the folder {folder}, where `hub` does not look; download it, and name it under `path`"
        )
    if pickled := sorted(file for file in files if file.endswith(PICKLED)):
        return (
            f"its weights are pickled ({shown(pickled[0])}), which can run code when they are read; ask for "
            "safetensors files"
        )
    if ggufs := [file for file in fetched if file.lower().endswith(".gguf")]:
        return f"it holds GGUF files alone; download one such as {shown(ggufs[0])}, and name it under `gguf`"
    return f"it has no weights; expected {WHOLE}, or {INDEX} and its parts"


def shown(text: object) -> str:
    """A text of the hub on one line of a terminal, at most 200 characters of it."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text)[:200])
