"""``data`` and ``prompt``: the problems, and how a problem becomes the text that a policy reads."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from relax.config.policies import Revision
from relax.settings import Count, ProperShare, Settings, Several, Share, contradiction, key


class AnswerPrior(Settings):
    """The answer-prior trap, for `source: answer-prior`."""

    easy_share: ProperShare = 0.4
    """Share of problems that the rote answer solves. Their answer is 0. More of them make the trap deeper."""


class Countdown(Settings):
    """The small Countdown task, for `source: countdown`."""

    numbers: Annotated[int, Field(ge=2, le=3)] = 3
    """Numbers of a problem."""


class Visual(Settings):
    """The visual task, problems with rendered pictures, for `source: visual`."""

    families: Several[Literal["bars", "cells", "line", "clock", "geometry"]] = key(
        ["bars", "cells", "line", "clock", "geometry"]
    )
    """Families of problems: bar charts, grids to count, number lines, clocks, figures with labelled lengths
    ([docs/visual.md](../docs/visual.md))."""
    levels: Several[Annotated[int, Field(ge=1, le=3)]] = key([1, 2, 3])
    """Difficulties, 1 to 3. Harder problems have more bars, cells and marks, finer times, and areas in place of
    perimeters."""
    size: Annotated[int, Field(ge=32, le=2048)] = key(336, unit="pixels")
    """Pixels of a picture's side. Below 160 axes and clocks carry no numbers."""
    text_share: Share = 0.25
    """Share of problems whose words say all that the picture shows. They can be answered without the picture."""


class HubRows(Settings):
    """Problems of a data set of the hub, or of a file in its place."""

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
    """Column of the problem text."""
    answer: str
    """Column of the gold answer. Of a worked solution its last box counts."""
    images: str | None = None
    """Column of the image or images: files, bytes or base64; null: text alone. The hub's own images do too. `<image>`
    in a prompt is the place of one; without any they stand before the text. An unreadable image, or one of more than 20
    megapixels, is refused with its row."""
    path: str | None = None
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


class Data(Settings):
    """Training and held-out problems."""

    source: Literal["noisy-sum", "answer-prior", "countdown", "visual", "hub"]
    """hub: the data sets listed under datasets. The others are generated without network
    ([docs/study.md](../docs/study.md#tasks))."""
    seed: Count = 0
    """Seed of generation and order. `hub` does not read the seed."""
    digits: Annotated[int, Field(ge=2, le=128)] = 7
    """Digits of a noisy-sum or answer-prior problem. More digits make the task harder and responses longer."""
    train_problems: Count = key(6000, unit="problems", paper="about 22 000 (text)")
    """Problems to train on; an empty set is refused by `relax data`. More problems lower the number of repetitions.
    `hub` does not read the number: all rows count."""
    test_problems: Count = key(100, unit="problems")
    """Held-out problems. More of them narrow the error bars and lengthen evaluation in proportion. For `visual` each
    problem is put in five drawings. For `hub` the held-out problems are taken out of the training problems, the same
    ones whatever the order of the rows."""
    instruction: str | None = key(None, paper="not stated")
    """Put below every problem of a data set of the hub, on a line of its own. The problems of `visual` get it too. The
    tasks of the benchmarks say "Please reason step by step, and put your final answer within \\\\boxed{}."; a policy
    that is to box should be trained with the same words."""
    answer_prior: AnswerPrior = AnswerPrior()
    """The answer-prior trap, for `source: answer-prior`."""
    countdown: Countdown = Countdown()
    """The small Countdown task, for `source: countdown`."""
    visual: Visual = Visual()
    """The visual task, problems with rendered pictures, for `source: visual`."""
    datasets: list[HubRows] = key([])
    """Data sets of the hub, read from the local cache that `relax fetch` fills."""

    @model_validator(mode="after")
    def _has_problems(self) -> Self:
        if self.source == "hub" and not self.datasets:
            raise contradiction("data.source is hub, but data.datasets names no data set.", "source")
        return self


class Prompt(Settings):
    """How a problem becomes the text a policy reads, the same in training, analysis and evaluation."""

    chat_template: bool = key(False, paper="not stated")
    """The problem as the user's turn of the policy's chat template. False takes the problem as it is, for base models.
    A policy without a template is refused."""
    system: str | None = key(None, paper="not stated")
    """System turn of the chat template. It needs `chat_template: true`."""
    thinking: bool = key(False, paper="not stated")
    """Handed to the chat template as enable_thinking. Models that can think or not ask for it. Thinking needs a long
    `max_response_length`."""

    @model_validator(mode="after")
    def _system_has_a_template(self) -> Self:
        if self.system and not self.chat_template:
            raise contradiction("a system turn needs prompt.chat_template: true.", "system")
        return self
