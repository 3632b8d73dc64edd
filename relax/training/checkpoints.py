"""Checkpoints: the mark that proves one whole, what is kept beside TRL's files, and which one a training goes on from.

A checkpoint that is not what was written must not be trained on: transformers goes on without an optimizer where its
file is missing, and from whatever weights a damaged file holds. Here a damaged one is named, set aside under a name
that neither a resume nor the rotation of checkpoints looks at, and the one before it is used.
"""

import contextlib
import errno
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from safetensors import safe_open
from torch import nn
from transformers import PreTrainedModel, TrainerState, TrainingArguments
from transformers.trainer_utils import rotate_checkpoints

from relax.config import digest
from relax.errors import DataError, MachineError, RelaxError
from relax.files import writing
from relax.koopman import Dictionary
from relax.training.exploration import Exploration
from relax.training.sample import RolloutSample

logger = logging.getLogger("relax")

#: Written last into a checkpoint folder: one without it was interrupted.
COMPLETE = "complete"
#: Before the name of a checkpoint that failed.
DAMAGED = "damaged-"
#: Files that are read at the same time.
THREADS = 8


# The completion mark ------------------------------------------------------------------------------------


@contextlib.contextmanager
def sealed(folder: Path, args: TrainingArguments, state: TrainerState, accelerator: Accelerator) -> Iterator[None]:
    """What all processes write within the block becomes a whole checkpoint, and only then older ones are removed.

    Raises:
        MachineError: the disk did not take it; there is no mark then, and older checkpoints stay.
    """
    limit, main = args.save_total_limit, accelerator.is_main_process
    with writing(folder):
        if main:  # or a kill would leave half a new checkpoint under the mark of an old one
            (folder / COMPLETE).unlink(missing_ok=True)
        args.save_total_limit = None
        try:
            yield
        finally:
            args.save_total_limit = limit
        accelerator.wait_for_everyone()
        if main:
            seal(folder)
            rotate_checkpoints(str(folder.parent), limit, state.best_model_checkpoint, use_mtime=True)


def seal(folder: Path) -> None:
    """Write the completion mark: JSON with size in bytes and SHA-256 of every file below the folder, and a digest of
    all that. It is there whole or not at all, also after a power cut."""
    mark, temporary = folder / COMPLETE, folder / f".{COMPLETE}.tmp"
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path not in (mark, temporary))
    with ThreadPoolExecutor(THREADS) as pool:
        files = {
            p.relative_to(folder).as_posix(): facts for p, facts in zip(paths, pool.map(_facts, paths), strict=True)
        }
    with temporary.open("w", encoding="utf-8") as stream:
        json.dump({"files": files, "digest": digest(files)}, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, mark)


def _facts(path: Path) -> list[int | str]:
    with path.open("rb") as stream:
        return [os.fstat(stream.fileno()).st_size, hashlib.file_digest(stream, "sha256").hexdigest()]


def fault(folder: Path) -> str | None:
    """What is wrong with a checkpoint that has a completion mark; None where all is as it was written.

    Files that came later are not looked at. A mark without content proves nothing.

    Raises:
        MachineError: a file is there and may not be read.
    """
    try:
        content = (folder / COMPLETE).read_bytes()
    except OSError as error:
        return _unreadable(folder / COMPLETE, f"its completion mark, {COMPLETE},", error)
    try:
        mark = json.loads(content)
        files, whole = mark["files"], digest(mark["files"]) == mark["digest"]
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        return f"its completion mark, {COMPLETE}, is not what was written"
    with ThreadPoolExecutor(THREADS) as pool:
        found = [what for what in pool.map(lambda name: _fault(folder / name, name, *files[name]), files) if what]
    others = f"; {len(found) - 1} more of its files are damaged" if found[1:] else ""
    return found[0] + others if found else None


def _fault(path: Path, name: str, size: int, sha256: str) -> str | None:
    try:
        found = path.stat().st_size
        if found != size:
            return f"{name} has {found} bytes instead of {size}"
        return None if _facts(path)[1] == sha256 else f"{name} has other content than was written"
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return f"{name} is missing"
    except OSError as error:
        return _unreadable(path, name, error)


def _unreadable(path: Path, name: str, error: OSError) -> str:
    """A disk that has lost the bytes is damage; whatever else the system says may pass."""
    if error.errno == errno.EIO:
        return f"{name} cannot be read ({error.strerror})"
    raise MachineError(
        f"{path}: cannot be read ({error.strerror}); make it readable and start the training again."
    ) from error


# Which one to go on from --------------------------------------------------------------------------------


def checkpoints(folder: Path) -> list[Path]:
    """Checkpoints below a folder, finished or not, the newest first."""
    places = filter(Path.is_dir, folder.glob("checkpoint-*"))
    found = [(int(n[1]), p) for p in places if (n := re.fullmatch(r"checkpoint-(\d+)", p.name))]
    return [path for _, path in sorted(found, reverse=True)]


def remove_unfinished(folder: Path) -> bool:
    """Remove checkpoints whose writing was interrupted; whether finished or damaged ones are there."""
    for path in checkpoints(folder):
        if not (path / COMPLETE).exists():
            with writing(path):
                shutil.rmtree(path)
    return any(checkpoints(folder)) or any(folder.glob(f"{DAMAGED}checkpoint-*"))


def remove_all(folder: Path) -> None:
    """Remove a folder of checkpoints; marks first, or a kill would leave a part of a checkpoint under its mark."""
    with contextlib.suppress(OSError):
        for mark in folder.glob(f"checkpoint-*/{COMPLETE}"):
            mark.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def newest_whole(folder: Path) -> Path | None:
    """The newest whole checkpoint below a folder; damaged ones are set aside. None where there never was one.

    Raises:
        DataError: there are checkpoints, and none can be used.
        MachineError: one cannot be read, or not be set aside.
    """
    for path in checkpoints(folder):
        if not (path / COMPLETE).exists():
            logger.warning("%s: has no completion mark, as if interrupted while it was written; it is not used.", path)
        elif reason := fault(path):
            kept = _set_aside(path)
            logger.warning("%s: damaged (%s); it is not used, and kept as %s.", path, reason, kept.name)
        else:
            return path
    names = sorted(path.name for path in [*checkpoints(folder), *folder.glob(f"{DAMAGED}checkpoint-*")])
    if not names:
        return None
    raise DataError(
        f"{folder}: none of its checkpoints is whole ({', '.join(names)}); remove them to start the training over."
    )


def _set_aside(path: Path) -> Path:
    kept, number = path.with_name(f"{DAMAGED}{path.name}"), 2
    while kept.exists():
        kept, number = path.with_name(f"{DAMAGED}{path.name}-{number}"), number + 1
    with writing(kept):
        path.rename(kept)
    return kept


def _whole(path: Path) -> Path:
    """The checkpoint that was asked for by its path.

    Raises:
        DataError: it is not there, not finished, or damaged.
    """
    if not path.is_dir():
        raise DataError(f"{path}: no such checkpoint; expected a folder that ReLaXTrainer has written.")
    if not (path / COMPLETE).exists():
        raise DataError(
            f"{path}: has no completion mark, {COMPLETE}: it was interrupted while it was written, or is not of "
            "ReLaXTrainer; go on from another one."
        )
    if reason := fault(path):
        raise DataError(
            f"{path}: damaged ({reason}); go on from another one, or with resume_from_checkpoint=True from the "
            "newest that is whole."
        )
    return path


def resumable(asked: str | os.PathLike[str] | bool, folder: Path, accelerator: Accelerator) -> str | bool:
    """The checkpoint to load: the first process looks, all get its word.

    Args:
        asked: path of one, or True for the newest whole one.
        folder: where a training keeps them.
        accelerator: of all processes, each of which calls this.

    Returns:
        Its path; True as it came where there are none, which transformers refuses.

    Raises:
        DataError, MachineError: in all processes.
    """
    outcome: list[str | bool | RelaxError] = [True]
    if accelerator.is_main_process:
        try:
            found = newest_whole(folder) if isinstance(asked, bool) else _whole(Path(asked))
            outcome = [str(found) if found else True]
        except RelaxError as error:
            outcome = [error]
    broadcast_object_list(outcome)
    if isinstance(outcome[0], RelaxError):
        raise outcome[0]
    return outcome[0]


# What is in it beside TRL's files -----------------------------------------------------------------------


def save_state(folder: Path, exploration: Exploration, sample: RolloutSample | None) -> None:
    """Dictionary, limit and sample of rollouts, into a checkpoint."""
    if exploration.dictionary is not None:
        exploration.dictionary.save(folder / "dictionary.safetensors")
    if exploration.own is not None:
        exploration.own.save(folder)
    (folder / "relax.json").write_text(json.dumps(exploration.state()))
    if sample is not None:
        sample.save(folder)


def load_state(folder: Path, process: int, exploration: Exploration, sample: RolloutSample | None) -> None:
    """The same, from a checkpoint.

    Raises:
        ConfigError: it was trained with another dictionary or measured otherwise.
        DataError: it is whole, and has nothing of the process of this number.
    """
    if not (folder / f"rollouts_{process}.pt").is_file():
        raise DataError(
            f"{folder}: holds nothing of process {process}, as it was written by fewer processes or with "
            "save_only_model; go on with as many processes as wrote it, or start in another folder."
        )
    state = json.loads((folder / "relax.json").read_text())
    waiting = state.get("dictionary", "") is None  # for the first rollouts
    saved = None if waiting else Dictionary.load(folder / "dictionary.safetensors")
    exploration.restore(state, saved, str(folder))
    if exploration.own is not None:
        exploration.own.load(folder, state["generations"])
    if sample is not None:
        sample.load(folder)


def load_renamed(model: nn.Module, folder: Path) -> None:
    """Load the weights of a checkpoint whose file names them otherwise than the model does.

    Vision-language models of transformers are written under the names of the hub. ``from_pretrained`` translates them;
    its Trainer does not, and would go on from the initial weights with no more than a warning.

    Args:
        model: the policy, unwrapped; nothing is done for an adapter or where the names are the model's own.
        folder: of the checkpoint.
    """
    file, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if not isinstance(model, PreTrainedModel):
        return
    if file.is_file():
        with safe_open(file, framework="pt") as weights:
            names = set(weights.keys())
    elif index.is_file():
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    else:  # sharded over processes, under the model's own names
        return
    if names <= model.state_dict().keys():
        return
    loaded = type(model).from_pretrained(folder, dtype=model.dtype, use_safetensors=True, local_files_only=True)
    model.load_state_dict(loaded.state_dict())
