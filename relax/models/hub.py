"""Policies and data sets of the hub: fetched once, read from the local cache ever after."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from relax.errors import ConfigError, MachineError
from relax.files import atomic_folder

#: Weights in pickled form are never fetched or copied.
IGNORE = ["*.bin", "*.pt", "*.pth", "*.pkl", "*.msgpack", "*.h5", "original/*"]


def snapshot(source: dict[str, Any], kind: str = "model", download: bool = False) -> Path:
    """Folder of a pinned snapshot in the local cache.

    Args:
        source: ``repo`` and ``revision``.
        kind: ``"model"`` or ``"dataset"``.
        download: fetch what is missing; only ``relax fetch`` does.

    Raises:
        ConfigError: the revision is not pinned.
        MachineError: the snapshot is not in the cache, or cannot be fetched.
    """
    repo, revision = source["repo"], source["revision"]
    if revision == "unpinned":
        raise ConfigError(
            f"{repo}: its revision is not pinned; write the commit that `relax fetch` prints into the config."
        )
    try:
        return Path(
            snapshot_download(
                repo, repo_type=kind, revision=revision, ignore_patterns=IGNORE, local_files_only=not download
            )
        )
    except LocalEntryNotFoundError as error:
        raise MachineError(
            f"{repo} at {revision[:12]} is not in the local hub cache; run `relax fetch` with the same configuration."
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise MachineError(f"{repo} at {revision[:12]} cannot be fetched ({type(error).__name__}).") from error


def copy_snapshot(source: dict[str, Any], destination: Path) -> None:
    """A snapshot as a folder of hard links (copies where the cache is on another disk)."""
    folder = snapshot(source)
    with atomic_folder(destination) as target:
        for file in folder.rglob("*"):
            if file.is_file():
                place = target / file.relative_to(folder)
                place.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(file.resolve(), place)
                except OSError:
                    shutil.copyfile(file.resolve(), place)


def fetch(config: dict[str, Any], benchmarks: Sequence[dict[str, str]] = ()) -> list[str]:
    """Bring every snapshot the configuration names to the local cache; one line about each.

    Unpinned ones of the configuration are resolved but not fetched: the line gives the commit to write there.

    Args:
        config: the configuration.
        benchmarks: ``repo`` and ``revision`` of the data sets of its benchmarks; one that nobody knows a commit
            for is fetched as it is now.
    """
    from huggingface_hub import HfApi

    wanted = [("model", config["policies"][name].get("hub")) for name in config["matrix"]["policies"]]
    wanted += [("dataset", source) for source in config["data"]["datasets"] if source["path"] is None]
    lines = []
    for kind, source in [item for item in wanted if item[1] is not None]:
        if source["revision"] == "unpinned":
            commit = _newest(HfApi(), source["repo"], kind)
            lines.append(f"{source['repo']}: not pinned; write `revision: {commit}` into the config and fetch again")
        else:
            lines.append(f"{source['repo']}: {snapshot(source, kind, download=True)}")
    for source in benchmarks:
        pinned = source["revision"] != "unpinned"
        commit = source["revision"] if pinned else _newest(HfApi(), source["repo"], "dataset")
        folder = snapshot({"repo": source["repo"], "revision": commit}, "dataset", download=True)
        lines.append(f"{source['repo']}: {folder}" + ("" if pinned else f" (the newest commit, {commit})"))
    return lines


def _newest(api: Any, repo: str, kind: str) -> str:
    try:
        return api.repo_info(repo, repo_type=kind).sha
    except (HfHubHTTPError, OSError) as error:
        raise MachineError(f"{repo}: the hub does not answer ({type(error).__name__}).") from error
