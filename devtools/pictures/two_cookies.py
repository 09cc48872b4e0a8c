"""The id cookie and the watermark cookie."""

from __future__ import annotations

from typing import NamedTuple

from devtools.pictures.drawing import WIDTH, Fill, Picture, Text, code, label, note

ID_LENGTH = 43
WATERMARK_LENGTH = 48
_X, _FULL = 12, WIDTH - 24


class _Cookie(NamedTuple):
    title: str
    name: str
    fill: Fill
    parts: tuple[tuple[float, Fill, str], ...]
    """Of its value: share of the picture, and what it is."""
    facts: tuple[tuple[str, str, str], ...]


_ID = _Cookie(
    "the id",
    "__Host-sid",
    "server",
    ((1, "server", f"{ID_LENGTH} random characters: 258 bits"),),
    (
        ("set", "with a new session and a new id;", "a logout clears it"),
        ("missing", "a new visitor: no session", "until something is stored"),
        ("stolen", "access to the session until it ends", "or its user logs in again"),
    ),
)
_WATERMARK = _Cookie(
    "the watermark",
    "__Host-sid-v",
    "memory",
    ((0.17, "plain", "key, node"), (0.24, "memory", "incarnation"), (0.2, "memory", "version"), (0.39, "plain", "MAC")),
    (
        ("set", "whenever the response shows", "a newer state of the session"),
        ("missing", "one read of the store;", "the session is the same"),
        ("stolen", "no access: the id is missing", ""),
    ),
)


def draw() -> Picture:
    """What each of them holds, when it is set, and what happens without it."""
    picture = Picture(
        "The two cookies: the id and the watermark",
        f"The id cookie, __Host-sid, holds {ID_LENGTH} random characters. It is set with a new session, a login or a "
        "logout. Without it there is no session; a thief has the session until it ends. The watermark cookie, "
        f"__Host-sid-v, holds in {WATERMARK_LENGTH} characters the incarnation and the version of the newest state "
        "that the browser has seen, with an authentication code (MAC). It is set whenever the response shows a newer "
        "state. Without it the server reads the store once; it gives no access to anything.",
        638,
    )
    _cookie(picture, 12, _ID, note("which session: the credential"))
    _cookie(picture, 340, _WATERMARK, note("which state the browser has seen of it"))
    return picture


def _cookie(picture: Picture, y: float, cookie: _Cookie, purpose: Text) -> None:
    blank = sum(not line for _, *lines in cookie.facts for line in lines)
    picture.frame(_X, y, _FULL, 304 - blank * 18)
    picture.write(_X + 14, y + 24, label(cookie.title), purpose)
    picture.write(_X + _FULL - 14, y + 24, code(cookie.name), anchor="end")
    left, width = _X + 14.0, _FULL - 28
    for share, fill, text in cookie.parts:
        picture.bar(left, y + 62, width * share, 36, fill, note(text))
        left += width * share
    for number, (name, *lines) in enumerate(cookie.facts):
        top = y + 118 + number * 60
        picture.guide((_X + 14, top), (_X + _FULL - 14, top))
        picture.write(_X + 14, top + 20, label(name))
        picture.write(_X + 104, top + 20, *(note(line) for line in lines if line))
