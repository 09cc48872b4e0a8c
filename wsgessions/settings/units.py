"""Sizes and durations as people write them in settings: ``128M``, ``30s`` (R-08)."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final

__all__ = ["parse_duration", "parse_size", "show_duration", "show_size"]

_NUMBER: Final = r"\s*(-?\d+(?:\.\d+)?)\s*"
_DURATION: Final = re.compile(_NUMBER + r"(ms|s|min|m|h|d)?\s*", re.ASCII | re.IGNORECASE)
_SIZE: Final = re.compile(_NUMBER + r"([kmgt]?)(?:i?b)?\s*", re.ASCII | re.IGNORECASE)

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_BYTES: Final = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def parse_duration(value: object) -> timedelta:
    """Read a duration.

    Args:
        value: a `timedelta`, a number of seconds, or text: a number and ``ms``, ``s``, ``m`` (minutes), ``h`` or ``d``;
            without a unit, seconds.

    Raises:
        ValueError: it is none of these, or beyond what a `timedelta` holds.
    """
    if isinstance(value, timedelta):
        return value
    number, unit = _split(value, _DURATION, 'a duration, such as "30s", "500ms", "30m", "24h" or a number of seconds')
    try:
        return timedelta(seconds=number * _SECONDS[unit or "s"])
    except OverflowError:
        raise ValueError("the duration is beyond all limits") from None


def parse_size(value: object) -> int:
    """Read a number of bytes.

    Args:
        value: a number, or text: a number and ``K``, ``M``, ``G`` or ``T``, powers of 1024; ``B`` or ``iB`` may follow.

    Raises:
        ValueError: it is neither, or no whole number of bytes.
    """
    number, unit = _split(value, _SIZE, 'a size, such as "128M", "4G" or a number of bytes')
    size = number * _BYTES[unit]
    if size != int(size):
        raise ValueError("a size is a whole number of bytes")
    return int(size)


def _split(value: object, form: re.Pattern[str], expected: str) -> tuple[float, str]:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value, ""
    match = form.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected {expected}")
    return float(match[1]) if "." in match[1] else int(match[1]), (match[2] or "").lower()


def show_duration(value: timedelta) -> str:
    """A short text that `parse_duration` reads as ``value``: ``30m``, ``24h``, ``1.5s``, ``500ms``."""
    for unit in ("d", "h", "m", "s"):
        size = timedelta(seconds=_SECONDS[unit])
        # 24h reads better than 1d
        if value and value % size == timedelta(0) and (unit != "d" or value != size):
            return f"{value // size}{unit}"
    seconds = value.total_seconds()
    return f"{seconds:g}s" if seconds > 1 else f"{seconds * 1000:g}ms"


def show_size(value: int) -> str:
    """The shortest text that `parse_size` reads as ``value``: ``128M``, ``256K``, ``1000``."""
    for unit in ("T", "G", "M", "K"):
        if value and value % _BYTES[unit.lower()] == 0:
            return f"{value // _BYTES[unit.lower()]}{unit}"
    return str(value)
