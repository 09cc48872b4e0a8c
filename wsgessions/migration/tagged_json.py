"""Reads JSON with the tags of Flask and Quart for values that JSON cannot represent."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, Final
from uuid import UUID

__all__ = ["SafeHTML", "loads"]


class SafeHTML(str):
    """A text that was marked as safe HTML, a ``Markup``."""

    __slots__ = ()


def loads(raw: bytes) -> Any:
    """The value.

    Raises:
        ValueError: it is not JSON, too deep, or a tag is around a value that cannot be of its type.
    """
    try:
        return json.loads(raw, object_hook=_untagged)
    except (AttributeError, TypeError, RecursionError) as error:
        raise ValueError("a tag is around a value that cannot be of its type, or the value is too deep") from error


def _untagged(value: dict[str, Any]) -> Any:
    if len(value) != 1:
        return value
    ((tag, content),) = value.items()
    made = _TYPES.get(tag)
    return value if made is None else made(content)


def _escaped(content: dict[str, Any]) -> dict[str, Any]:
    """A mapping with a tag as its only name, which was escaped."""
    ((name, value),) = content.items()
    return {name.removesuffix("__"): value}


_TYPES: Final[dict[str, Callable[[Any], Any]]] = {
    " di": _escaped,
    " t": tuple,
    " b": b64decode,
    " m": SafeHTML,
    " u": UUID,
    " d": parsedate_to_datetime,
}
