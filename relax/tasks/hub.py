"""Problems from data sets of the hub, or from local files of the same columns; :mod:`relax.data.hub` reads them."""

from pydantic import Field

from relax.settings import Settings
from relax.tasks.task import Task


class DataSet(Settings):
    """A data set of the hub, read from the local cache that `relax fetch` fills; an entry of ``data.datasets``."""

    repo: str
    """Name on the hub."""
    revision: str = Field(pattern="^([0-9a-f]{40}|unpinned)$")
    """Commit on the hub; `unpinned` can be planned with but not run (relax fetch prints the commit)."""
    config: str | None = None
    """Configuration (subset) of the data set."""
    split: str
    """Split to read."""
    prompt: str
    """Column of the problem text."""
    answer: str
    """Column of the gold answer."""
    images: str | None = None
    """Column of the image or images: files, bytes or base64; null: text alone."""
    path: str | None = None
    """A JSON lines, CSV or Parquet file with the same columns, in place of the hub's."""
    file: str | None = None
    """Parquet, CSV or JSON lines file of the data set that is read by itself; null: as the data set says."""
    archive: str | None = None
    """ZIP file beside the table that holds the images."""
    where: dict[str, list[str | int]] = Field(default_factory=dict)
    """Keep rows whose column has one of these values, e.g. {level: [Level 3, Level 4]}."""


#: Answers are compared with the data set's, by the general grader.
TASK = Task(name="hub")
