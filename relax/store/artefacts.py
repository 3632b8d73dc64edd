"""Files of runs: what a store has of them, and whether it is what it should be."""

import filecmp
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mlflow.artifacts
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from relax.store.client import artefacts_beside


class Artefacts:
    """Those of a SQLite store that lies beside them are read there, wherever the folder was moved since: MLflow itself
    looks where they were written.

    Args:
        client: of the store.
        uri: tracking URI of the store.
    """

    def __init__(self, client: MlflowClient, uri: str) -> None:
        self.client, self.uri, self.beside = client, uri, artefacts_beside(uri)

    def names(self, run: Run) -> list[str]:
        """Paths of all files of a run, sorted."""
        local = self._local(run)
        if local:
            return sorted(path.relative_to(local).as_posix() for path in local.rglob("*") if path.is_file())
        return sorted(name for name, _ in self._listed(run))

    def fetch(self, run: Run, name: str, target: Path) -> None:
        """Copy one file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        local = self._local(run)
        if local:
            shutil.copyfile(local / name, target)
            return
        made = mlflow.artifacts.download_artifacts(
            run_id=run.info.run_id, artifact_path=name, dst_path=str(target.parent), tracking_uri=self.uri
        )
        if Path(made) != target:  # MLflow keeps the folders of the name
            shutil.move(made, target)

    def differing(self, run: Run, files: Mapping[str, Path]) -> list[str]:
        """Names of the files that the run lacks or has otherwise: compared byte for byte where they lie in a folder of
        this machine, by their size where a server has them.

        Args:
            run: as the store has it.
            files: what it should have, by name.

        Raises:
            FileNotFoundError: one of ``files`` has gone.
        """
        if not files:
            return []
        place = urlsplit(run.info.artifact_uri)
        if place.scheme == "file":
            kept = {name: Path(unquote(place.path)) / name for name in files}
            return [n for n, path in files.items() if not (kept[n].is_file() and filecmp.cmp(path, kept[n], False))]
        sizes = dict(self._listed(run))
        return [name for name, path in files.items() if sizes.get(name) != path.stat().st_size]

    def _local(self, run: Run) -> Path | None:
        folder = self.beside / run.info.run_id / "artifacts" if self.beside else None
        return folder if folder and folder.is_dir() else None

    def _listed(self, run: Run) -> Iterator[tuple[str, int | None]]:
        folders: list[str | None] = [None]
        while folders:
            for item in self.client.list_artifacts(run.info.run_id, folders.pop()):
                if item.is_dir:
                    folders.append(item.path)
                else:
                    yield item.path, item.file_size
