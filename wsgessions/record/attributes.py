"""The attributes of one stored state of a session, with values derived from them.

Near caches hold as many of these as fit, and the garbage collector visits none: it tracks no `StoredAttributes`, and no
dict of bytes by names. It tracks placeholders, as it does all objects of classes that are written in Python. So only
the states that sessions were based on most recently have any: `allow_placeholders` says for how many bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from threading import Lock
from typing import Any, Final, TypeAlias

from ..internal.after_fork import renew_in_children
from ..internal.masked import described, shows_as
from .struct import Struct

__all__ = ["NO_ATTRIBUTES", "StoredAttributes", "allow_placeholders"]

_LEAST_BYTES: Final = 2 * 2**20
"""The memory of all states with placeholders in a process without a larger limit."""
_STATE: Final = 700
"""The memory of a state without its attributes."""
_ATTRIBUTE: Final = 160
"""The memory of an attribute without the bytes of its value: its placeholder, and its share of two dicts."""

Make: TypeAlias = Callable[[Mapping[str, bytes]], dict[str, Any]]
"""Makes the placeholders of encoded values by the names of their attributes."""

_UNKNOWN: Final = -1


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
    _value_bytes: int = _UNKNOWN
    _name_bytes: int = _UNKNOWN
    _around: int = _UNKNOWN

    def placeholders(self, make: Make) -> Mapping[str, Any]:
        """The placeholder of each attribute, made by ``make``, which is the same function in all calls."""
        lazy = self.lazy
        if lazy is None:  # two threads may get here at once; their results are equivalent
            self._make = make
            self.lazy = lazy = make(self.raw)
            _recent.add(self, self.value_bytes)
        return lazy

    @property
    def value_bytes(self) -> int:
        """Bytes of all encoded values."""
        if self._value_bytes == _UNKNOWN:
            self._value_bytes = sum(map(len, self.raw.values()))
        return self._value_bytes

    @property
    def size(self) -> int:
        """The size that counts against `max_session_bytes`: all names and encoded values."""
        if _UNKNOWN in (self._name_bytes, self._value_bytes):
            self._name_bytes = sum(map(len, self.raw))
            return self.value_bytes + self._name_bytes
        return self._value_bytes + self._name_bytes

    def around(self, measure: Callable[[dict[str, bytes]], int]) -> int:
        """The result of ``measure``, the same function in all calls, which must not depend on values."""
        if self._around == _UNKNOWN:
            self._around = measure(self.raw)
        return self._around

    def altered(self, changed: Mapping[str, bytes], removed: Collection[str] = ()) -> StoredAttributes:
        """Without those that were removed and then with those that were changed; the others keep their placeholders."""
        raw, value_bytes = self.raw.copy(), self.value_bytes
        for name in removed:
            value_bytes -= len(raw.pop(name, b""))
        for name, value in changed.items():
            value_bytes += len(value) - len(raw.get(name, b""))
            raw[name] = value
        altered = StoredAttributes(raw, None, None, value_bytes)
        if not removed and len(raw) == len(self.raw):
            altered._name_bytes, altered._around = self._name_bytes, self._around
        lazy, make = self.lazy, self._make
        if lazy is not None and make is not None:
            lazy = lazy.copy()
            for name in removed:
                lazy.pop(name, None)
            lazy.update(make(changed))
            altered.lazy, altered._make = lazy, make
            _recent.add(altered, value_bytes)
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

    def add(self, state: StoredAttributes, value_bytes: int) -> None:
        """``state``, with values of so many bytes, has placeholders now."""
        size = _STATE + value_bytes + _ATTRIBUTE * len(state.raw)
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
