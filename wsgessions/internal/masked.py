"""Representations of objects with ids and values: by names and sizes only (S-80).

Error trackers, debug pages and ``capture_locals`` print the variables of the frames that an error has passed through.
Most of them use ``repr()``; Sentry and rich look into dicts and tuples first, unless these have a method of theirs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from traceback import clear_frames
from typing import Any, ParamSpec, TypeVar

from ..errors import WsgessionsError

__all__ = ["Encoded", "described", "forget_variables", "forgetful", "masked", "shows_as"]

_Class = TypeVar("_Class", bound=type)
_P = ParamSpec("_P")
_T = TypeVar("_T")


def described(value: Any) -> str:
    """A text for a value that may be, or contain, a secret.

    Texts, bytes and lists are shown by their sizes, and so are plain tuples, as of header fields. Of a mapping the keys
    are shown, and of a set or a tuple of texts the members: these are names of attributes. Any other value is shown by
    its own representation.
    """
    members: Any = value
    if isinstance(value, str):
        return f"<{len(value)} characters>"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping) and not hasattr(value, "__sentry_repr__"):
        return "{" + ", ".join(f"{name!r}: {described(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list) or (type(value) is tuple and not _are_names(members)):
        return f"<{len(members)} items>"
    if isinstance(value, AbstractSet) and _are_names(members):
        return "{" + ", ".join(map(repr, sorted(members))) + "}"
    return repr(value)


def shows_as(show: Callable[[Any], str]) -> Callable[[_Class], _Class]:
    """A decorator of classes: all representations of their objects are the result of ``show``."""

    def decorate(cls: _Class) -> _Class:
        def text(self: Any) -> str:
            return show(self)

        def nothing_more(self: Any) -> Iterable[Any]:
            return [_Bare(show(self))]

        nothing_more.angular = True  # type: ignore[attr-defined]  # rich's own mark
        for name, method in (("__repr__", text), ("__sentry_repr__", text), ("__rich_repr__", nothing_more)):
            setattr(cls, name, method)
        return cls

    return decorate


class _Bare:
    """A text without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _are_names(values: Iterable[Any]) -> bool:
    return all(isinstance(each, str) for each in values)


def _fields(value: Any) -> Iterator[str]:
    names = getattr(value, "_fields", None) or type(value).__struct_fields__
    for name in names:
        yield f"{name}={described(getattr(value, name))}"


def masked(cls: _Class) -> _Class:
    """A decorator of named tuples and structs: their fields are shown by `described`."""
    return shows_as(lambda value: f"{type(value).__name__}({', '.join(_fields(value))})")(cls)


@shows_as(lambda values: described(dict(values)))
class Encoded(dict[str, bytes]):
    """Encoded values by the names of their attributes."""

    __slots__ = ()


def forget_variables(error: BaseException) -> None:
    """Clear the variables of the frames that an error has left, because these are values.

    The traceback still shows where it was raised. An error raised in its place during its handling has the same type.
    """
    each: BaseException | None = error
    while isinstance(each, type(error)):
        clear_frames(each.__traceback__)
        each = each.__context__


def forgetful(method: Callable[_P, _T]) -> Callable[_P, _T]:
    """A decorator of functions with values as arguments: the frames of our errors then contain none of these."""

    @functools.wraps(method)
    def call(*args: _P.args, **named: _P.kwargs) -> _T:
        try:
            return method(*args, **named)
        except WsgessionsError as error:
            del args, named
            forget_variables(error)
            raise

    return call
