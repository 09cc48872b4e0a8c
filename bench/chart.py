"""Line charts as SVG, without any library, for light and dark backgrounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

__all__ = ["Axis", "Line", "line_chart"]

_WIDTH: Final = 640
_HEIGHT: Final = 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 190, 20, 50
_COLOURS: Final = ("#00897b", "#d81b60", "#1e88e5", "#f4841f", "#8e24aa", "#6d4c41")
_INK: Final = "#808080"


class Axis(NamedTuple):
    """One axis: its title, its marks, and whether it is logarithmic."""

    label: str
    marks: Sequence[float]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value lies, from 0 at the first mark to 1 at the last."""
        scale = math.log if self.logarithmic else float
        first, last = scale(self.marks[0]), scale(self.marks[-1])
        return (scale(value) - first) / (last - first)


class Line(NamedTuple):
    """The points of one line."""

    points: Mapping[float, float]
    dashed: bool = False
    colour: int = 0


def line_chart(lines: Mapping[str, Line], across: Axis, up: Axis) -> str:
    """The chart, with a legend at its right."""
    body = [
        *(_mark_across(across, mark) for mark in across.marks),
        *(_mark_up(up, mark) for mark in up.marks),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, across.label),
        f'<g transform="rotate(-90)">{_text(-(_TOP + _HEIGHT - _BOTTOM) / 2, 14, up.label)}</g>',
        *(_line(line, across, up) for line in lines.values()),
        *(_legend(number, name, line) for number, (name, line) in enumerate(lines.items())),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif"'
        f' font-size="12" fill="{_INK}">'
    )
    return "\n".join([head, *body, "</svg>\n"])


def _x(axis: Axis, value: float) -> float:
    return round(_LEFT + axis.place(value) * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(axis: Axis, value: float) -> float:
    return round(_HEIGHT - _BOTTOM - axis.place(value) * (_HEIGHT - _TOP - _BOTTOM), 1)


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


def _mark_across(axis: Axis, mark: float) -> str:
    x, bottom = _x(axis, mark), _HEIGHT - _BOTTOM
    return f'<path d="M{x} {bottom}v5" stroke="{_INK}"/>' + _text(x, bottom + 18, _number(mark))


def _mark_up(axis: Axis, mark: float) -> str:
    y = _y(axis, mark)
    line = f'<path d="M{_LEFT} {y}H{_WIDTH - _RIGHT}" stroke="{_INK}" stroke-opacity="0.35"/>'
    return line + _text(_LEFT - 6, y + 4, _number(mark), "end")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def _stroke(line: Line) -> str:
    dashes = ' stroke-dasharray="5 4"' if line.dashed else ""
    return f'fill="none" stroke="{_COLOURS[line.colour % len(_COLOURS)]}" stroke-width="2"{dashes}'


def _line(line: Line, across: Axis, up: Axis) -> str:
    points = " ".join(f"{_x(across, x)},{_y(up, y)}" for x, y in line.points.items())
    return f'<polyline points="{points}" {_stroke(line)}/>'


def _legend(number: int, name: str, line: Line) -> str:
    x, y = _WIDTH - _RIGHT + 12, _TOP + 14 + 20 * number
    return f'<path d="M{x} {y - 4}h22" {_stroke(line)}/>' + _text(x + 28, y, name, "start")
