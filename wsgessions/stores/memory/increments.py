"""Numbers that a store adds to attributes: their types, and the exact range (C-10)."""

from __future__ import annotations

from collections.abc import Callable

from ... import codec
from ...errors import CodecError
from ...record import SessionDelta
from ...store.constants import EXACT

__all__ = ["sums"]


def sums(delta: SessionDelta, stored: Callable[[str], bytes | None]) -> dict[str, bytes | None]:
    """The results of a delta's increments by name, in their order; None where there is no exact one.

    Args:
        delta: the commit. Its changes are applied before its increments.
        stored: the present value of an attribute, or None if there is none, which counts as 0.
    """
    return {name: _sum(name, _present(delta, name, stored), by) for name, by in delta.increments.items()}


def _present(delta: SessionDelta, name: str, stored: Callable[[str], bytes | None]) -> bytes | None:
    if name in delta.changed:
        return delta.changed[name]
    return None if name in delta.removed else stored(name)


def _sum(name: str, raw: bytes | None, by: float) -> bytes | None:
    try:
        value = 0 if raw is None else codec.decode(raw, name=name)
    except CodecError:
        return None
    if not (_is_exact(value) and _is_exact(by)):
        return None
    total = value + by
    return codec.encode(total, name=name) if _is_exact(total) else None


def _is_exact(value: object) -> bool:
    """Whether the store can compute with it: a finite float, or an int that a double holds exactly."""
    if isinstance(value, float):
        return value - value == 0
    return type(value) is int and abs(value) < EXACT
