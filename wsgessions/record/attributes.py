"""The attributes of one stored state of a session, with values derived from them.

Near caches hold as many of these as fit, and the garbage collector visits none: it tracks no `StoredAttributes`, and no
dict of bytes by names. It tracks placeholders, as it does all objects of classes that are written in Python. So only
the states that sessions were based on most recently have any: `allow_placeholders` says for how many bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from sys import getsizeof
from threading import Lock
from typing import Any, Final, TypeAlias

from ..internal.after_fork import renew_in_children
from ..internal.masked import described, shows_as
from .names import bytes_of_own
from .struct import Struct

__all__ = ["NO_ATTRIBUTES", "UNKNOWN", "StoredAttributes", "allow_placeholders"]

_LEAST_BYTES: Final = 2 * 2**20
"""The memory of all states with placeholders in a process without a larger limit."""
_STATE: Final = 700
"""The memory of a state without its attributes."""
_ATTRIBUTE: Final = 160
"""The memory of an attribute without the bytes of its value: its placeholder, and its share of two dicts."""
_VALUE: Final = 41
"""The bytes object around a value, with the average of rounding, see `wsgessions.cache.heap`."""

Make: TypeAlias = Callable[[Mapping[str, bytes]], dict[str, Any]]
"""Makes the placeholders of encoded values by the names of their attributes."""

UNKNOWN: Final = -1
"""A sum that was not computed yet."""


@shows_as(lambda attributes: described(attributes.raw))
class StoredAttributes(Struct, gc=False):  # noqa: PLW1641 - it has no hash, as a dict has none
    """The attributes of one stored state by name. Never changed: another state is another object.

    Their placeholders in a session are shared by all requests that see this state. So are the sums of their sizes; the
    next state updates them by the changed attributes only.
    """

    raw: dict[str, bytes]
    """The encoded values. A plain dict, which belongs to this object: the collector tracks every object of a subclass.
    """
    lazy: dict[str, Any] | None = None
    """The placeholder of each attribute, if they were made; see `placeholders`."""
    _make: Make | None = None
    size: int = UNKNOWN
    """The size that counts against `max_session_bytes`: all names and encoded values. `UNKNOWN` until `measure`."""
    memory: int = UNKNOWN
    """The memory of all names and values in this process, in bytes. `UNKNOWN` until `measure`."""

    def placeholders(self, make: Make) -> Mapping[str, Any]:
        """The placeholder of each attribute, made by ``make``, which is the same function in all calls."""
        lazy = self.lazy
        if lazy is None:  # two threads may get here at once; their results are equivalent
            self._make = make
            self.lazy = lazy = make(self.raw)
            _recent.add(self)
        return lazy

    def measure(self) -> None:
        """Compute `size` and `memory`."""
        raw = self.raw
        value_bytes = sum(map(len, raw.values()))
        self.size = value_bytes + sum(map(len, raw))
        self.memory = value_bytes + _VALUE * len(raw) + getsizeof(raw) + bytes_of_own(raw)

    def altered(self, changed: Mapping[str, bytes], removed: Collection[str] = ()) -> StoredAttributes:
        """Without those that were removed and then with those that were changed; the others keep their placeholders."""
        if self.size == UNKNOWN:
            self.measure()
        raw, size = self.raw.copy(), self.size
        for name in removed:
            if name in raw:
                size -= len(name) + len(raw.pop(name))
        for name, value in changed.items():
            before = raw.get(name)
            size += len(name) + len(value) if before is None else len(value) - len(before)
            raw[name] = value
        altered = StoredAttributes(raw, None, None, size)
        if not removed and len(raw) == len(self.raw) and self.memory != UNKNOWN:
            altered.memory = self.memory + size - self.size
        lazy, make = self.lazy, self._make
        if lazy is not None and make is not None:
            lazy = lazy.copy()
            for name in removed:
                lazy.pop(name, None)
            lazy.update(make(changed))
            altered.lazy, altered._make = lazy, make
            _recent.add(altered)
        return altered

    # -- the bytes by name ---------------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> bytes:
        return self.raw[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def __contains__(self, name: object) -> bool:
        return name in self.raw

    def __eq__(self, other: object) -> bool:
        return self.raw == (other.raw if isinstance(other, StoredAttributes) else other)


class _Recent:
    """The states that got placeholders most recently, within ``max_bytes``; the earlier ones lose theirs."""

    __slots__ = ("__weakref__", "_bytes", "_lock", "_states", "max_bytes")

    def __init__(self) -> None:
        renew_in_children(self)
        self._lock = Lock()
        self._states: deque[tuple[StoredAttributes, int]] = deque()
        self._bytes = 0
        self.max_bytes = _LEAST_BYTES

    def renew_after_fork(self) -> None:
        """Another thread of the parent may have held the lock."""
        self._lock = Lock()

    def add(self, state: StoredAttributes) -> None:
        """``state`` has placeholders now."""
        if state.size == UNKNOWN:
            state.measure()
        size = _STATE + state.size + _ATTRIBUTE * len(state.raw)
        with self._lock:
            self._states.append((state, size))
            self._bytes += size
            while self._bytes > self.max_bytes:
                earlier, size = self._states.popleft()
                self._bytes -= size
                earlier.lazy = None


_recent: Final = _Recent()
NO_ATTRIBUTES: Final = StoredAttributes({})


def allow_placeholders(max_bytes: int) -> None:
    """Let the states of this process with placeholders take so many bytes, if that is more than now.

    These states are kept even if no cache has them any more.
    """
    _recent.max_bytes = max(_recent.max_bytes, max_bytes)
