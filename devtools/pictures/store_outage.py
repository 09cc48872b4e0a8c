"""An outage of the store, second by second, as it was measured.

The store, a Valkey without a supervisor, was stopped (SIGSTOP) for ten seconds while an application with default
settings was asked several times a second, three times over. The last reads from memory were answered after 1.0, 1.4
and 1.5 s; the requests that waited, 0.1 s after the store went on. `tests/docs/test_pictures.py` compares the figures
below with the defaults.
"""

from __future__ import annotations

from typing import NamedTuple

from devtools.pictures.drawing import Fill, Picture, label, note

HEARTBEAT = 0.5
LEASE = 1.5
TIMEOUT = 2
RETRY_AFTER = 1
STALL = 5
OUTAGE = 10

_FROM, _TO = -1, 12
_LEFT, _SECOND = 14, 37
_TOP, _LANE, _BAR = 76, 62, 26


class _Span(NamedTuple):
    """How requests are answered that are sent in this time."""

    end: float
    fill: Fill
    text: str
    gradual: float = 0
    """By how much earlier it may end."""


_AT_ONCE = _Span(0, "good", "200")
_IN_MEMORY = _Span(LEASE, "good", "200", HEARTBEAT)
_ANSWERED_LATE = _Span(OUTAGE, "late", "200, late")
_AGAIN = _Span(_TO, "good", "200")
_REFUSED = _Span(OUTAGE - TIMEOUT, "bad", f"503 {TIMEOUT} s later, Retry-After: {RETRY_AFTER}")
_LANES: tuple[tuple[str, tuple[_Span, ...]], ...] = (
    ("the store", (_Span(0, "good", "ok"), _Span(OUTAGE, "bad", "does not answer"), _Span(_TO, "good", "ok"))),
    (
        "a change; a read of a session that is not in memory",
        (_Span(0, "good", "200"), _REFUSED, _ANSWERED_LATE, _AGAIN),
    ),
    ("a read of a session in memory", (_IN_MEMORY, _REFUSED, _ANSWERED_LATE, _AGAIN)),
    (
        "a route that does not use the session of its visitor",
        (_IN_MEMORY, _Span(OUTAGE, "late", f"200, at most {TIMEOUT} s later"), _AGAIN),
    ),
    ("a visitor without a session; a path in exclude", (_Span(_TO, "good", "200 all the time"),)),
)


def draw() -> Picture:
    """What each kind of request is answered, by the second in which it is sent."""
    picture = Picture(
        "An outage of the store, second by second",
        f"The store stops answering at second 0 and answers again at second {OUTAGE}. Changes, and reads of sessions "
        f"that are not in memory, are answered 503 with Retry-After: {RETRY_AFTER} after {TIMEOUT} seconds. Sessions "
        f"in memory are read until the lease ends, after {LEASE - HEARTBEAT:g} to {LEASE:g} seconds, and then 503 as "
        f"well. Routes that do not use the session are answered 200, {TIMEOUT} seconds later at most. Visitors without "
        f"a session and excluded paths notice nothing. Requests sent after second {OUTAGE - TIMEOUT} wait, and are "
        f"answered 200 a tenth of a second after the store answers again. The log says at second {STALL} that the "
        f"store is lost, and at second {OUTAGE} that it is back.",
        440,
    )
    bottom = _TOP + len(_LANES) * _LANE + 34
    picture.write(_x(_FROM), 20, note("each bar: the answer to a request that is sent in this second", "soft"))
    for second in range(0, _TO + 1, 2):
        picture.guide((_x(second), 52), (_x(second), bottom))
        picture.write(_x(second), 44, note(f"{second} s", "soft"), anchor="middle")
    for number, (name, spans) in enumerate(_LANES):
        _lane(picture, _TOP + number * _LANE, name, spans)
    _log(picture, _TOP + len(_LANES) * _LANE)
    return picture


def _lane(picture: Picture, y: float, name: str, spans: tuple[_Span, ...]) -> None:
    picture.write(_x(_FROM), y, label(name))
    begin, lean = float(_FROM), 0.0
    for span in spans:
        width, next_lean = (span.end - begin) * _SECOND, span.gradual * _SECOND
        picture.bar(_x(begin), y + 14, width, _BAR, span.fill, note(span.text), lean=(lean, next_lean))
        begin, lean = span.end, next_lean


def _log(picture: Picture, y: float) -> None:
    picture.write(_x(_FROM), y, label("the log"))
    for second, text in ((STALL, "store lost"), (OUTAGE, "store back")):
        picture.dot(_x(second), y + 22)
        picture.write(_x(second) + 10, y + 22, note(text))


def _x(second: float) -> float:
    return _LEFT + (second - _FROM) * _SECOND
