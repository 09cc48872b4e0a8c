"""The walk over the members of a value, for the conversions of whole values: bounded, and errors have the path."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar, Final

from .limits import MAX_ALIKE, MAX_DEPTH, MAX_ITEMS, UnsupportedValue

__all__ = ["CONTAINERS", "ContainerReader", "Walk", "check_hashes"]

CONTAINERS: Final = frozenset({dict, list, tuple, set, frozenset})
"""The container types, exactly: subclasses are others."""

_TOO_DEEP: Final = f"it nests deeper than {MAX_DEPTH} levels"

ContainerReader = Callable[[Any, Any, int], Any]
"""Converts a container: called with the walk, the container, and the depth of its members."""


class Walk:
    """Converts one value, and counts its members."""

    __slots__ = ("_members",)

    containers: ClassVar[Mapping[type, ContainerReader]]
    """The conversion of each of `CONTAINERS`."""

    def __init__(self) -> None:
        self._members = 0

    @abstractmethod
    def convert(self, value: Any, depth: int = 0) -> Any:
        """
        Args:
            value: any object.
            depth: the number of containers around it.

        Raises:
            UnsupportedValue: it, or a member of it, cannot be stored; the error has the path.
        """

    def container(self, kind: type, value: Any, depth: int) -> Any:
        """Convert a container of one of `CONTAINERS`."""
        if depth >= MAX_DEPTH:
            raise UnsupportedValue(_TOO_DEEP, "does it contain itself?")
        self._members += 2 * len(value) if kind is dict else len(value)
        if self._members > MAX_ITEMS:
            raise UnsupportedValue(f"it holds more than {MAX_ITEMS} items", "keep large collections in a database")
        return self.containers[kind](self, value, depth + 1)

    def sequence(self, value: Iterable[Any], depth: int) -> list[Any]:
        """Convert the members of a list or tuple."""
        return [self.member(item, depth, f"[{index}]") for index, item in enumerate(value)]

    def member(self, value: Any, depth: int, step: str) -> Any:
        """Convert a member, which is at ``step`` of its container."""
        try:
            return self.convert(value, depth)
        except UnsupportedValue as refusal:
            raise refusal.inside(step) from None


def check_hashes(members: Collection[Any]) -> None:
    """Reject too many members of equal hashes in one set or dict: ints can be chosen so."""
    if len(members) > MAX_ALIKE and max(Counter(map(hash, members)).values()) > MAX_ALIKE:
        raise UnsupportedValue(
            f"more than {MAX_ALIKE} members of a set, or keys of a dict, have equal hashes", "use a list"
        )
