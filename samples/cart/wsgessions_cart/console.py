"""The output of the supervisor: facts and links once, then one line for each event."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, TextIO

from .inspection import quantity_of_bytes
from .places import Place

__all__ = ["Console"]

_ANSI: Final = {"goldenrod": "38;5;178", "darkseagreen": "38;5;108", "lightskyblue": "38;5;117", "plum": "38;5;182"}
_BAD: Final = "31"
_FAINT: Final = "2"


class Console:
    """Prints to the terminal. Colours only on a terminal, and not if ``NO_COLOR`` is set."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._coloured = self._out.isatty() and not os.environ.get("NO_COLOR")
        self._held: list[str] | None = None

    def say(self, text: str = "") -> None:
        """One line, unchanged."""
        print(text, file=self._out, flush=True)

    @contextmanager
    def holding_events(self) -> Generator[None]:
        """Print what happens meanwhile afterwards, so that a start begins with its links."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            for line in held:
                self.say(line)

    def fact(self, name: str, text: str) -> None:
        """One line of the start."""
        self.say(f"{name:<11}{text}")

    def link(self, place: Place) -> None:
        """The address of a server."""
        name = self._paint(f"{place.framework.title:<11}", _ANSI[place.colour])
        self.say(f"{name}{place.url('localhost', '/Cart')}")

    def commit(self, place: Place, facts: Mapping[str, Any]) -> None:
        """One change that a server sent to the store."""
        fields = " ".join([*(f"~{name}" for name in facts["changed"]), *(f"-{name}" for name in facts["removed"])])
        size = f"{quantity_of_bytes(facts['bytes_sent'])} of {quantity_of_bytes(facts['bytes_whole'])}"
        self._event(place.label, _ANSI[place.colour], f"{facts['session']}  {fields:<24} {size}")

    def event(self, place: Place, text: str) -> None:
        """An event of a server."""
        self._event(place.label, _ANSI[place.colour], text)

    def trouble(self, name: str, text: str) -> None:
        """An error."""
        self._event(name, _BAD, text)

    def _event(self, name: str, style: str, text: str) -> None:
        clock = self._paint(f"{datetime.now().astimezone():%H:%M:%S}", _FAINT)
        line = f"{clock}  {self._paint(f'{name:<16}', style)}  {text}"
        if self._held is None:
            self.say(line)
        else:
            self._held.append(line)

    def _paint(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._coloured else text
