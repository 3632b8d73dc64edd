"""Problems from files of the user's own; :mod:`relax.data.hub` reads them."""

from relax.settings import LocalPath, Settings, key
from relax.tasks.task import Task


class DataFile(Settings):
    """A file of problems, an entry of ``data.files``."""

    path: LocalPath
    """JSON lines, CSV or Parquet file. The run record keeps the hash of its content, and the pipeline runs again where
    the content changes. Ids of its problems begin with the file's name, and with `name#2` where a second file has the
    same."""
    prompt: str
    """Column of the problem: text, or a conversation whose last user turn is the problem. A name with dots leads to a
    field below a column."""
    answer: str
    """Column of the gold answer: text, a number, or a list of answers that say the same. A name with dots leads to a
    field below a column, such as `reward_model.ground_truth`. Of a worked solution its last box counts, or what follows
    `####`."""
    images: str | None = None
    """Column of the image or images: paths relative to the file, bytes or base64; null: text alone. `<image>` in a
    prompt is the place of one; without any they stand before the text."""
    archive: str | None = None
    """ZIP file beside the file that holds the images."""
    subset: str | None = None
    """Column of the kind of problem, by which worked examples are chosen (`prompt.shots`); null: there is none."""
    where: dict[str, list[str | int]] = key({})
    """Keep rows whose column has one of these values, e.g. {level: [3, 4]}. Numbers and texts differ; in a CSV file all
    is text."""
    held_out: bool = False
    """Whether the problems of the file are held out. Where no file is, `data.test_problems` of all problems are."""


#: Answers are compared with the files', by the general grader.
TASK = Task(name="file")
