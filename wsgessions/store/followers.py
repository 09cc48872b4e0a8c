"""The callbacks of a store for a new secret, held weakly.

A store with a thread of its own lives until its user is collected. A reference from the store back
to a manager would keep both, and the thread, for as long as the process runs.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakMethod

__all__ = ["Followers"]

Tell = Callable[[bytes], None]


class Followers:
    """Bound methods, each of them until its object is collected."""

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: list[WeakMethod[Tell]] = []

    def add(self, tell: Tell) -> None:
        """Add this bound method; it is called once, however often it is added."""
        reference = WeakMethod(tell, self._drop)
        if reference not in self._all:
            self._all.append(reference)

    def tell(self, secret: bytes) -> None:
        """Call all of them with the new secret."""
        for reference in tuple(self._all):
            tell = reference()
            if tell is not None:
                tell(secret)

    def _drop(self, reference: WeakMethod[Tell]) -> None:
        self._all.remove(reference)
