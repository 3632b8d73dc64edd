"""The visual task: problems with rendered pictures, in training and held-out splits.

What it is asked for needs Pillow, so :mod:`relax.tasks.visual.rendered` is imported by whoever asks.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from relax.settings import Settings, Several, Share, key
from relax.tasks.problem import Problem
from relax.tasks.task import Keep, Task

if TYPE_CHECKING:
    from PIL.Image import Image

Family = Literal["bars", "cells", "line", "clock", "geometry"]


class VisualSettings(Settings):
    """The visual task, problems with rendered pictures."""

    families: Several[Family] = key(["bars", "cells", "line", "clock", "geometry"])
    """Families of problems: bar charts, grids to count, number lines, clocks, figures with labelled lengths
    ([docs/visual.md](../docs/visual.md))."""
    levels: Several[Annotated[int, Field(ge=1, le=3)]] = key([1, 2, 3])
    """Difficulties, 1 to 3. Harder problems have more bars, cells and marks, finer times, and areas in place of
    perimeters."""
    size: Annotated[int, Field(ge=32, le=2048)] = key(336, unit="pixels")
    """Pixels of a picture's side. Below 160 axes and clocks carry no numbers."""
    text_share: Share = 0.25
    """Share of problems whose words say all that the picture shows. They can be answered without the picture."""


def _made(settings: Mapping[str, Any], n: int, split: str, keep: Keep) -> Iterator[Problem]:
    from relax.tasks.visual.rendered import problems

    return problems(settings["visual"], n, split, settings["seed"], keep, settings["instruction"])


def _drawn(
    own: Mapping[str, Any], stage: Mapping[str, Any], seed: str
) -> "Iterator[tuple[str, str, Callable[[], Image]]]":
    from relax.tasks.visual.rendered import demonstrations

    return demonstrations(own, stage, seed)


def _texts() -> Iterator[str]:
    from relax.tasks.visual.rendered import texts

    return texts()


#: Its answers are boxed integers, which the general grader compares.
TASK = Task(name="visual", problems=_made, settings=VisualSettings, drawn=_drawn, texts=_texts)
