"""The visual task: problems with rendered pictures, in training and held-out splits.

What it is asked for needs Pillow, so :mod:`relax.tasks.visual.rendered` is imported by whoever asks.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from relax.settings import Settings
from relax.tasks.problem import Problem
from relax.tasks.task import Keep, Task

if TYPE_CHECKING:
    from PIL.Image import Image

Family = Literal["bars", "cells", "line", "clock", "geometry"]


class VisualSettings(Settings):
    """The visual task, problems with rendered pictures."""

    families: list[Family] = Field(
        ["bars", "cells", "line", "clock", "geometry"], min_length=1, json_schema_extra={"uniqueItems": True}
    )
    """Families of problems."""
    levels: list[Literal[1, 2, 3]] = Field([1, 2, 3], min_length=1, json_schema_extra={"uniqueItems": True})
    """Difficulties, 1 to 3."""
    size: int = Field(336, ge=32, le=2048)
    """Pixels of a picture's side."""
    text_share: float = Field(0.25, ge=0, le=1)
    """Share of problems whose words say all that the picture shows."""

    @field_validator("families", "levels")
    @classmethod
    def _different(cls, values: list[Any]) -> list[Any]:
        if len(set(values)) < len(values):
            raise ValueError("an entry stands there twice; name each once")
        return values


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
