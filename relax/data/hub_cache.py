"""What the local cache of the hub holds. Only `relax fetch` puts something there."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

#: Weights in pickled form are never fetched or copied.
IGNORE = ["*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt", "*.msgpack", "*.h5", "original/*"]


def cached(repo: str, kind: str = "model", revision: str | None = None) -> Path | None:
    """Folder of a snapshot in the local cache, whole but for what is never fetched; None where there is none.

    Args:
        repo: name on the hub.
        kind: ``"model"`` or ``"dataset"``.
        revision: commit; None is the newest that the cache knows.
    """
    try:
        # Without the patterns a snapshot that `relax fetch` has brought would count as incomplete.
        return Path(
            snapshot_download(repo, repo_type=kind, revision=revision, ignore_patterns=IGNORE, local_files_only=True)
        )
    except (LocalEntryNotFoundError, HFValidationError):
        return None
