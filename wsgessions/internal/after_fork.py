"""The registry of objects that a forked child process must renew, so that it does not act as its parent (C-21, F-25).

A server that loads the application before it forks its workers gives all of them the same objects. Each object that
names a process to others, or that belongs to its threads and event loops, is registered here when it is made.
"""

from __future__ import annotations

import os
import weakref
from typing import Final, Protocol

__all__ = ["Forkable", "renew_in_children"]


class Forkable(Protocol):
    """An object that a forked child inherits and cannot use without renewal."""

    def renew_after_fork(self) -> None:
        """Called in the child, before anything else runs there."""
        ...


_inherited: Final[weakref.WeakSet[Forkable]] = weakref.WeakSet()


def renew_in_children(thing: Forkable) -> None:
    """Have this object renewed in every child that this process forks while the object lives."""
    _inherited.add(thing)


def _renew_all() -> None:
    for thing in list(_inherited):
        thing.renew_after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_renew_all)
