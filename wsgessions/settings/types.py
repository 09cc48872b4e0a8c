"""The types of settings: how each is read from text or Python, and what is said about a value that does not fit."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from .units import parse_duration, parse_size, show_duration, show_size

__all__ = [
    "Duration",
    "IdleTimeout",
    "NonStop",
    "OffOrDuration",
    "OnlyFalse",
    "OnlyTrue",
    "Seconds",
    "Shown",
    "Size",
    "Switch",
    "choice",
    "items",
    "nearest",
    "only",
    "parse_off",
    "ZeroOrMore",
    "wrong",
]

_FALSE: Final = frozenset({"false", "no", "off", "0", "f", "n"})
_TRUE: Final = frozenset({"true", "yes", "on", "1", "t", "y"})
_OFF: Final = frozenset({"off", "none", "never"})


def wrong(message: str, hint: str = "") -> PydanticCustomError:
    """What a validator raises: the text for the `ConfigError`, and its hint. Neither may hold a secret."""
    return PydanticCustomError("setting", "{message}", {"message": message, "hint": hint})


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint for an unknown word: what may have been meant, and what is valid."""
    names = sorted(known)
    near = difflib.get_close_matches(word.lower(), names, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{meant}valid: {', '.join(names)}"


@dataclass(frozen=True, slots=True)
class Shown:
    """Metadata of a field: how its value is written in tables."""

    text: Callable[[Any], str]


def _reader(parse: Callable[[Any], Any]) -> BeforeValidator:
    def read(value: Any) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            reason = str(error)
        raise wrong(reason)

    return BeforeValidator(read)


def _positive(value: Any) -> timedelta:
    duration = parse_duration(value)
    if duration <= timedelta(0):
        raise ValueError("expected a duration above zero")
    return duration


def _never_at(value: Any, *never: int) -> bool:
    """Whether a value says "never": ``None``, a word for it, or one of the numbers given."""
    if value is None or (isinstance(value, str) and value.strip().lower() in _OFF):
        return True
    try:
        return parse_duration(value) in [timedelta(seconds=number) for number in never]
    except ValueError:
        return False


def _seconds(value: Any) -> int | None:
    if value is None:
        return None
    duration = _positive(value)
    if duration % timedelta(seconds=1):
        raise ValueError("expected whole seconds")
    return duration // timedelta(seconds=1)


Duration = Annotated[timedelta, _reader(_positive)]
"""A duration above zero."""

ZeroOrMore = Annotated[
    timedelta, _reader(lambda value: timedelta(0) if parse_duration(value) == timedelta(0) else _positive(value))
]
"""A duration of zero or more."""

IdleTimeout = Annotated[timedelta, _reader(lambda value: timedelta(0) if _never_at(value, 0, -1) else _positive(value))]
"""A duration above zero; -1, 0 and ``never`` are `timedelta(0)`."""

NonStop = Annotated[timedelta | None, _reader(lambda value: None if _never_at(value, -1) else _positive(value))]
"""A duration above zero; -1 and ``never`` are None."""

OffOrDuration = Annotated[timedelta | None, _reader(lambda value: None if _never_at(value) else _positive(value))]
"""A duration above zero; ``off`` and ``never`` are None."""

Seconds = Annotated[int | None, _reader(_seconds), Shown(lambda value: show_duration(timedelta(seconds=value)))]
"""A duration of whole seconds above zero, kept as their number; or None."""

Size = Annotated[int, _reader(parse_size), Shown(show_size)]
"""A number of bytes."""


def _parse_switch(value: object) -> bool:
    """Read a truth value; no text but those of `_TRUE` is ever true (R-08)."""
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError("expected true or false")


def parse_off(value: object) -> None:
    """Read "off".

    Raises:
        ValueError: it says something else.
    """
    if not _never_at(value) and not (value is False or (isinstance(value, str) and value.strip().lower() in _FALSE)):
        raise ValueError("expected off")


def only(today: Any, parse: Callable[[Any], Any], *, shown: str) -> BeforeValidator:
    """For a setting with other values in later releases only: reject those, rather than accept and ignore them."""

    def check(value: Any) -> Any:
        try:
            if parse(value) == today:
                return today
        except ValueError:
            pass  # a value of another type is one of a later release, or never one: the answer is the same
        raise wrong("the value is not supported in this release", f"this release supports only {shown}")

    return BeforeValidator(check)


def choice(*words: str, later: tuple[str, ...] = ()) -> BeforeValidator:
    """One of a few words, in any case; ``later`` are those that a later release knows."""

    def check(value: Any) -> str:
        word = value.strip().lower() if isinstance(value, str) else ""
        if word in words:
            return word
        if word in later:
            raise wrong(f"{word!r} is not supported in this release", f"valid: {', '.join(words)}")
        shown = repr(value) if isinstance(value, str) else f"a {type(value).__name__}"
        raise wrong(f"{shown} is not a valid value", nearest(word, words))

    return BeforeValidator(check)


def items(value: Any) -> Any:
    """Text to a list: a JSON array, or parts between commas. Everything else is left to the field's type."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            pass  # its text would quote the value, which may be a secret
        raise wrong("the text begins like a JSON array and is none", "separate the parts by commas instead")
    return [part.strip() for part in value.split(",") if part.strip()]


Switch = Annotated[bool, _reader(_parse_switch)]
"""A truth value: true or false, yes or no, on or off, 1 or 0."""

OnlyFalse = Annotated[bool, only(False, _parse_switch, shown="false")]
"""A switch that this release cannot turn on."""

OnlyTrue = Annotated[bool, only(True, _parse_switch, shown="true")]
"""A switch that this release cannot turn off."""
