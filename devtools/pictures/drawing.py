"""The visual language of the diagrams: one width, two sizes of type, one set of colours for light and for dark.

A picture is one SVG that has both palettes. A browser chooses by the colour scheme of the page around it: that is the
choice of the page where it has one, as with the switch of our site and of GitHub, and otherwise the one of the system.

The width is that of a narrow column. A telephone shows the type at more than ten pixels, a desk at its size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias
from xml.sax.saxutils import escape

__all__ = ["FILLS", "INKS", "WIDTH", "Fill", "Picture", "Text", "code", "label", "note"]

WIDTH: Final = 520
"""Of every picture, in pixels."""
_LINE: Final = 19
"""From one line of text to the next."""
_RISE: Final = 5
"""From the middle of a line of text down to its base line."""

Colours: TypeAlias = tuple[str, str]
"""On light and on dark."""
Fill: TypeAlias = Literal["paper", "plain", "server", "memory", "store", "good", "late", "bad"]
Ink: TypeAlias = Literal["ink", "soft", "push"]
Anchor: TypeAlias = Literal["start", "middle", "end"]
Point: TypeAlias = tuple[float, float]

FILLS: Final[Mapping[Fill, Colours]] = {
    "paper": ("#ffffff", "#1e2129"),
    "plain": ("#eef1f6", "#303642"),
    "server": ("#faecc8", "#4b3d17"),
    "memory": ("#dbe9fb", "#22405f"),
    "store": ("#d5ecdc", "#1e4631"),
    "good": ("#cdebd3", "#1d4a2c"),
    "late": ("#fbe6b4", "#574612"),
    "bad": ("#f9d2cd", "#632722"),
}
"""Of areas: the background, parts of a system, and how a request is answered."""
INKS: Final[Mapping[Ink, Colours]] = {
    "ink": ("#1c222c", "#eceff4"),
    "soft": ("#454e5e", "#c3cad6"),
    "push": ("#8c3d0c", "#f7b58a"),
}
"""Of text, lines and arrows."""
_OUTLINES: Final[Mapping[str, Colours]] = {"outline": ("#7b8698", "#8490a3"), "guide": ("#c9d0db", "#474f5d")}
"""Of lines that separate and carry nothing."""

_SANS: Final = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
_MONO: Final = "ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace"


class Text(NamedTuple):
    """One line of text."""

    text: str
    style: Literal["label", "note", "code"]
    ink: Ink


def label(text: str, ink: Ink = "ink") -> Text:
    """The name of a thing."""
    return Text(text, "label", ink)


def note(text: str, ink: Ink = "ink") -> Text:
    """What is to be known about it."""
    return Text(text, "note", ink)


def code(text: str, ink: Ink = "ink") -> Text:
    """What is written so in a program, a file or a cookie."""
    return Text(text, "code", ink)


class Picture:
    """A picture that is being drawn.

    Args:
        title: what it is, for those who do not see it.
        description: what it shows, for the same.
        height: in pixels.
    """

    def __init__(self, title: str, description: str, height: int) -> None:
        self.title = title
        self.description = description
        self.height = height
        self._elements: list[str] = []

    def svg(self) -> str:
        """The file."""
        size = f'viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" height="{self.height}"'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title description">',
                f'<title id="title">{escape(self.title)}</title>',
                f'<desc id="description">{escape(self.description)}</desc>',
                f"<style>\n{_style_sheet()}\n</style>",
                f"<defs>{_tip('ink')}{_tip('push')}</defs>",
                f'<rect class="paper" width="{WIDTH}" height="{self.height}" rx="8"/>',
                *self._elements,
                "</svg>\n",
            ]
        )

    def box(self, x: float, y: float, width: float, height: float, fill: Fill, *lines: Text) -> None:
        """A part, with its text in the middle."""
        self._rectangle(x, y, width, height, f"{fill} outline", rounded=6)
        self._centred(x + width / 2, y + height / 2 - _LINE * (len(lines) - 1) / 2, lines)

    def card(self, x: float, y: float, width: float, height: float, fill: Fill, *lines: Text) -> None:
        """A part that has others inside, with its text at the top."""
        self._rectangle(x, y, width, height, f"{fill} outline", rounded=8)
        self._centred(x + width / 2, y + 20, lines)

    def frame(self, x: float, y: float, width: float, height: float, *lines: Text) -> None:
        """A boundary around parts, with its text at the top left."""
        self._rectangle(x, y, width, height, "frame", rounded=8)
        self.write(x + 12, y + 20, *lines)

    def bar(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: Fill,
        *lines: Text,
        lean: tuple[float, float] = (0, 0),
    ) -> None:
        """A length of time or of bytes; the foot of an edge, left and right, may lie so much before its top."""
        left, right, bottom = x, x + width, y + height
        corners = _path((left, y), (right, y), (right - lean[1], bottom), (left - lean[0], bottom))
        self._elements.append(f'<path class="{fill} outline" d="{corners}Z"/>')
        self._centred(x + (width - sum(lean) / 2) / 2, y + height / 2, lines)

    def write(self, x: float, y: float, *lines: Text, anchor: Anchor = "start") -> None:
        """Lines of text below each other on the background; `y` is the middle of the first."""
        for number, line in enumerate(lines):
            self._text(x, y + number * _LINE, line, anchor, " free")

    def arrow(self, *points: Point, both: bool = False) -> None:
        """Something that is sent."""
        self._arrow("arrow", "ink", points, both=both)

    def push(self, *points: Point) -> None:
        """A message that was not asked for."""
        self._arrow("arrow push", "push", points, both=False)

    def guide(self, *points: Point) -> None:
        """A line that leads the eye."""
        self._elements.append(f'<path class="guide" d="{_path(*points)}"/>')

    def dot(self, x: float, y: float) -> None:
        """An instant."""
        self._elements.append(f'<circle class="ink" cx="{x:g}" cy="{y:g}" r="4"/>')

    def _centred(self, x: float, y: float, lines: tuple[Text, ...]) -> None:
        for number, line in enumerate(lines):
            self._text(x, y + number * _LINE, line, "middle", "")

    def _text(self, x: float, y: float, line: Text, anchor: Anchor, more: str) -> None:
        place = f'x="{x:g}" y="{y + _RISE:g}"' + ("" if anchor == "start" else f' text-anchor="{anchor}"')
        self._elements.append(f'<text class="{line.style} {line.ink}{more}" {place}>{escape(line.text)}</text>')

    def _rectangle(self, x: float, y: float, width: float, height: float, classes: str, *, rounded: float) -> None:
        size = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{rounded:g}"'
        self._elements.append(f'<rect class="{classes}" {size}/>')

    def _arrow(self, classes: str, tip: str, points: tuple[Point, ...], *, both: bool) -> None:
        tips = f'marker-end="url(#tip-{tip})"' + (f' marker-start="url(#tip-{tip})"' if both else "")
        self._elements.append(f'<path class="{classes}" d="{_path(*points)}" {tips}/>')


def _path(*points: Point) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def _tip(ink: Ink) -> str:
    return (
        f'<marker id="tip-{ink}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9"'
        f' markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path class="{ink}" d="M0 0L10 5L0 10Z"/></marker>'
    )


def _style_sheet() -> str:
    shapes = [
        f".label,.note{{font:14px {_SANS}}}",
        ".label{font-size:16px;font-weight:600}",
        f".code{{font:14px {_MONO};white-space:pre}}",
        ".free{paint-order:stroke;stroke-width:5px;stroke-linejoin:round}",  # lines behind it do not touch the letters
        ".arrow{stroke-width:1.6}",
        ".arrow.push{stroke-dasharray:5 3}",
        ".frame{stroke-dasharray:5 4}",
    ]
    return "\n".join([*shapes, *_colours(0), "@media (prefers-color-scheme:dark){", *_colours(1), "}"])


def _colours(scheme: int) -> list[str]:
    """One of the two palettes. What is a line only comes last, since it also has the class of an ink."""
    areas = [f".{name}{{fill:{colours[scheme]}}}" for name, colours in [*FILLS.items(), *INKS.items()]]
    lines = [f".{name}{{stroke:{colours[scheme]}}}" for name, colours in _OUTLINES.items()]
    ink, push, soft = (INKS[name][scheme] for name in ("ink", "push", "soft"))
    return [
        *areas,
        *lines,
        f".free{{stroke:{FILLS['paper'][scheme]}}}",
        f".arrow{{stroke:{ink};fill:none}}",
        f".arrow.push{{stroke:{push}}}",
        f".frame{{stroke:{soft};fill:none}}",
    ]
