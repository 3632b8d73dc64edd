"""Problems from data sets of the hub, or from local files of the same columns; :mod:`relax.data.hub` reads them."""

from relax.settings import LocalPath, Revision, Settings, key
from relax.tasks.task import Task


class DataSet(Settings):
    """A data set of the hub, or a file in its place; an entry of ``data.datasets``."""

    repo: str
    """Name on the hub. A file in its place may have any name. Ids begin with the name, and with `name#2` where it
    stands a second time. The name decides no verifier: a name such as `countdown` is written `data set countdown` in
    the problem file."""
    revision: Revision
    """Commit on the hub, of 40 hexadecimal digits, or `unpinned`. An unpinned data set can be planned with, but not
    run: `relax fetch` prints the commit to write in."""
    config: str | None = None
    """Configuration (subset) of the data set."""
    split: str
    """Split to read."""
    prompt: str
    """Column of the problem: text, or a conversation whose last user turn is the problem. A name with dots leads to a
    field below a column."""
    answer: str
    """Column of the gold answer: text, a number, or a list of answers that say the same. A name with dots leads to a
    field below a column, such as `reward_model.ground_truth`. Of a worked solution its last box counts, or what follows
    `####`."""
    images: str | None = None
    """Column of the image or images: files, bytes or base64; null: text alone. The hub's own images do too. `<image>`
    in a prompt is the place of one; without any they stand before the text. An unreadable image, or one of more than 20
    megapixels, is refused with its row."""
    path: LocalPath | None = None
    """A JSON lines, CSV or Parquet file with the same columns, in place of the hub's. Paths of images are relative to
    the file."""
    file: str | None = None
    """Parquet, CSV or JSON lines file of the data set that is read by itself; null: as the data set says. An example is
    `39Krelease.parquet` of ViRL39K, whose images lie beside the file."""
    archive: str | None = None
    """ZIP file beside the table that holds the images. An example is `images.zip` of ViRL39K."""
    where: dict[str, list[str | int]] = key({})
    """Keep rows whose column has one of these values, e.g. {level: [Level 3, Level 4]}. Numbers and texts differ; in a
    CSV file all is text."""


#: Answers are compared with the data set's, by the general grader.
TASK = Task(name="hub")
