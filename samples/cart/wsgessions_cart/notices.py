"""The messages on a page after a click on a button; the address selects one: ``/Cart?note=moved-9081``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from urllib.parse import parse_qsl

from .places import Place, Servers

__all__ = ["Notice", "Tone", "killed_server", "note_of", "notice_of"]


class Tone(Enum):
    """The style of a message."""

    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message."""

    tone: Tone
    text: str


_TEXTS: Final = {
    "moved": (Tone.GOOD, "{place} was killed and is down. You were moved to {here}: nothing is lost."),
    "back": (Tone.GOOD, "{place} is back, on the same session."),
    "absent": (Tone.BAD, "{place} did not come back; the terminal says why."),
    "alone": (Tone.BAD, "No other server is up to take over. Restart one first."),
    "pausing": (Tone.GOOD, "The store stands still for 10 seconds. Change the cart meanwhile, or look at something."),
    "heavy": (Tone.GOOD, "The session now carries 200 kB. Change the cart: only the cart is sent."),
    "light": (Tone.GOOD, "The 200 kB are out of the session again."),
    "raced": (Tone.GOOD, "Two servers changed the session at the same moment. See below what was kept."),
    "no-race": (Tone.BAD, "Two tabs need two servers that are up, and a session: look at something first."),
}


def note_of(scope: Mapping[str, Any]) -> str:
    """The ``note`` in the address, or nothing."""
    query: bytes = scope.get("query_string", b"")
    return dict(parse_qsl(query.decode("latin-1"))).get("note", "")


def notice_of(note: str, servers: Servers) -> Notice | None:
    """The message for this note; None for an unknown one."""
    kind, place = _split(note, servers)
    if kind not in _TEXTS:
        return None
    tone, text = _TEXTS[kind]
    if place is None and "{place}" in text:
        return None
    return Notice(tone, text.format(place=place and place.label, here=servers.here.label))


def killed_server(note: str, servers: Servers) -> Place | None:
    """The server that has just been killed by its button, and may take a moment to end."""
    kind, place = _split(note, servers)
    return place if kind == "moved" else None


def _split(note: str, servers: Servers) -> tuple[str, Place | None]:
    kind, _, port = note.rpartition("-")
    return (kind, servers.at(int(port))) if port.isdecimal() else (note, None)
