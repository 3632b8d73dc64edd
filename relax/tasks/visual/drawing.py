"""The pictures of visual problems, drawn with Pillow: one problem in several drawings that mean the same.

A drawing is made in a square of side 1, its y axis upwards, and put on the picture by a :class:`Style`, which changes
colours, size, position and orientation and nothing that is asked for. The bytes follow from puzzle and style alone.
"""

import io
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from PIL import Image, ImageColor, ImageDraw, ImageFont

from relax.tasks.visual.puzzles import Puzzle, side

#: What is changed in the drawings of one problem, as in DynaMath (arXiv 2411.00836); ``plain`` changes nothing.
VARIANTS = ("plain", "colours", "size", "position", "orientation")

#: (drawing, paper, lines), dark enough to be told apart in grey.
PALETTES = (
    ("#1f5fa8", "#ffffff", "#222222"),
    ("#b3261e", "#fff7e6", "#3a2f1f"),
    ("#1b7f4b", "#eef3f8", "#22303c"),
    ("#6a3fa0", "#f4f4f4", "#2b2b2b"),
    ("#f2b134", "#20303f", "#e8edf2"),
)
#: From this many pixels on, axes and clocks carry numbers; below they would be blots.
LABELLED = 160

Point = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """How a drawing is put on the picture.

    Attributes:
        palette: colours of drawing, paper and lines.
        scale: side of the drawing's square, as a share of the picture's.
        place: where in the room that is left the square stands, 0 to 1 from the left and from the top.
        turned: by a quarter to the right, so that up becomes right; text stays upright.
    """

    palette: tuple[str, str, str] = PALETTES[0]
    scale: float = 0.82
    place: Point = (0.5, 0.5)
    turned: bool = False


def style_of(variant: str, rng: random.Random) -> Style:
    """A style that differs from the plain one in what the variant names."""
    plain = Style()
    if variant == "colours":
        return replace(plain, palette=rng.choice(PALETTES[1:]))
    if variant == "size":
        return replace(plain, scale=rng.choice((0.66, 0.72, 0.9)))
    if variant == "position":
        return replace(plain, place=(rng.choice((0.1, 0.3, 0.7, 0.9)), rng.choice((0.1, 0.3, 0.7, 0.9))))
    return replace(plain, turned=variant == "orientation")


def paint(puzzle: Puzzle, style: Style, size: int) -> Image.Image:
    """The picture, in RGB.

    Args:
        puzzle: what is shown.
        style: how.
        size: pixels of a side.
    """
    canvas = _Canvas(style, size)
    _DRAWINGS[puzzle.family](canvas, puzzle)
    return canvas.image.resize((size, size), Image.Resampling.BOX)


def draw(puzzle: Puzzle, style: Style, size: int) -> bytes:
    """The picture as PNG; arguments as of :func:`paint`."""
    stream = io.BytesIO()
    paint(puzzle, style, size).save(stream, "PNG")
    return stream.getvalue()


class _Canvas:
    """Draws larger and scales down, which smooths edges the same way on every machine."""

    def __init__(self, style: Style, size: int) -> None:
        self.style = style
        self.factor = 2 if size >= LABELLED else 4
        self.full = size * self.factor
        self.box = self.full * style.scale
        self.left, self.top = ((self.full - self.box) * share for share in style.place)
        self.ink, self.paper, self.line = style.palette
        mixed = zip(ImageColor.getrgb(self.line), ImageColor.getrgb(self.paper), strict=True)
        self.faint = "#" + "".join(f"{(line + 4 * paper) // 5:02x}" for line, paper in mixed)
        self.image = Image.new("RGB", (self.full, self.full), self.paper)
        self.pen = ImageDraw.Draw(self.image)
        self.labelled = size >= LABELLED

    def at(self, x: float, y: float) -> Point:
        """Pixel of a point of the unit square."""
        if self.style.turned:
            x, y = y, 1 - x
        return self.left + x * self.box, self.top + (1 - y) * self.box

    def width(self, share: float) -> int:
        """A line's width as a share of the square, never thinner than a pixel of the finished picture."""
        return max(self.factor, round(share * self.box))

    def path(self, points: list[Point], share: float = 0.012, colour: str | None = None) -> None:
        self.pen.line([self.at(*point) for point in points], colour or self.line, self.width(share), joint="curve")

    def shape(self, points: list[Point], fill: str | None = None) -> None:
        """A polygon; without ``fill`` its outline."""
        corners = [self.at(*point) for point in points]
        if fill:
            self.pen.polygon(corners, fill)
        else:
            self.pen.line([*corners, corners[0], corners[1]], self.line, self.width(0.018), joint="curve")

    def rectangle(self, x: float, y: float, width: float, height: float, fill: str | None = None) -> None:
        self.shape([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], fill)

    def dot(self, x: float, y: float, radius: float, colour: str | None = None) -> None:
        (px, py), r = self.at(x, y), radius * self.box
        self.pen.ellipse([px - r, py - r, px + r, py + r], fill=colour or self.ink)

    def ring(self, x: float, y: float, radius: float) -> None:
        (px, py), r = self.at(x, y), radius * self.box
        self.pen.ellipse([px - r, py - r, px + r, py + r], outline=self.line, width=self.width(0.02))

    def text(self, x: float, y: float, words: str, share: float = 0.07) -> None:
        """Upright text whose middle is at a point, at least nine pixels high."""
        font = ImageFont.load_default(max(9 * self.factor, round(share * self.box)))
        self.pen.text(self.at(x, y), words, self.line, font, anchor="mm")


def _bars(canvas: _Canvas, puzzle: Puzzle) -> None:
    base, unit, left = 0.06, 0.088, 0.08
    for tick in range(0, 11):
        y = base + tick * unit
        if canvas.labelled:
            canvas.path([(left, y), (1, y)], 0.004, canvas.faint)
            canvas.text(0.02, y, str(tick), 0.05)
        canvas.path([(left - 0.02, y), (left, y)])
    step = (1 - left) / len(puzzle.facts)
    for place, height in enumerate(puzzle.facts):
        canvas.rectangle(left + (place + 0.2) * step, base, 0.6 * step, height * unit, canvas.ink)
    canvas.path([(left, base + 10 * unit), (left, base), (1, base)], 0.018)


def _cells(canvas: _Canvas, puzzle: Puzzle) -> None:
    count = side(puzzle.level)
    step = 1 / count
    for cell in puzzle.facts:
        canvas.rectangle((cell % count) * step, 1 - (cell // count + 1) * step, step, step, canvas.ink)
    for place in range(count + 1):
        canvas.path([(place * step, 0), (place * step, 1)])
        canvas.path([(0, place * step), (1, place * step)])


def _line(canvas: _Canvas, puzzle: Puzzle) -> None:
    for tick in range(11):
        x = 0.04 + 0.092 * tick
        length = 0.14 if tick in (0, 5, 10) else 0.08
        canvas.path([(x, 0.5), (x, 0.5 - length)], 0.014)
        if canvas.labelled and tick in (0, 5, 10):
            canvas.text(x, 0.29, str(tick))
    canvas.path([(0.04, 0.5), (0.96, 0.5)], 0.018)
    for mark in puzzle.facts:
        canvas.dot(0.04 + 0.092 * mark, 0.6, 0.04)


def _clock(canvas: _Canvas, puzzle: Puzzle) -> None:
    hour, minute = puzzle.facts

    def point(turn: float, radius: float) -> Point:
        return 0.5 + radius * math.sin(2 * math.pi * turn), 0.5 + radius * math.cos(2 * math.pi * turn)

    canvas.ring(0.5, 0.5, 0.49)
    for tick in range(12):
        canvas.path([point(tick / 12, 0.42), point(tick / 12, 0.47)], 0.02)
        if canvas.labelled:
            canvas.text(*point(tick / 12, 0.35), str(tick or 12))
    if not canvas.labelled:
        canvas.dot(*point(0, 0.42), 0.05)  # twelve
    canvas.path([(0.5, 0.5), point((hour + minute / 60) / 12, 0.22)], 0.06, canvas.ink)
    canvas.path([(0.5, 0.5), point(minute / 60, 0.4 if not canvas.labelled else 0.3)], 0.025, canvas.ink)
    canvas.dot(0.5, 0.5, 0.035)


def _geometry(canvas: _Canvas, puzzle: Puzzle) -> None:
    if puzzle.level < 3:
        width, height = puzzle.facts
        unit = 0.72 / max(width, height)
        w, h = width * unit, height * unit
        x, y = 0.14 + (0.72 - w) / 2, 0.14 + (0.72 - h) / 2
        canvas.rectangle(x, y, w, h, canvas.ink)
        canvas.rectangle(x, y, w, h)
        canvas.text(x + w / 2, y - 0.08, str(width), 0.1)
        canvas.text(x - 0.08, y + h / 2, str(height), 0.1)
        return
    left, high, right, low = puzzle.facts
    unit = 0.72 / max(left + right, high)
    x, y = 0.14 + (0.72 - (left + right) * unit) / 2, 0.14 + (0.72 - high * unit) / 2
    a, b, h, g = x + left * unit, x + (left + right) * unit, y + high * unit, y + low * unit
    corners = [(x, y), (b, y), (b, g), (a, g), (a, h), (x, h)]
    canvas.shape(corners, canvas.ink)
    canvas.shape(corners)
    canvas.path([(a, y), (a, g)], 0.006)
    canvas.text(x - 0.08, (y + h) / 2, str(high), 0.1)
    canvas.text((x + a) / 2, y - 0.08, str(left), 0.1)
    canvas.text((a + b) / 2, y - 0.08, str(right), 0.1)
    canvas.text(b + 0.08, (y + g) / 2, str(low), 0.1)


_DRAWINGS: dict[str, Callable[[_Canvas, Puzzle], None]] = {
    "bars": _bars,
    "cells": _cells,
    "line": _line,
    "clock": _clock,
    "geometry": _geometry,
}
