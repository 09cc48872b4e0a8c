"""The attributes of one stored state of a session, with values derived from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from ..internal.masked import Encoded

__all__ = ["NO_ATTRIBUTES", "StoredAttributes"]


class StoredAttributes(Encoded):
    """The attributes of one stored state by name, in encoded form. Never changed: another state is another object.

    Their placeholders in a session are made once, and are shared by all requests that see this state. So are the sums
    of their sizes; the next state updates them by the changed attributes only.
    """

    __slots__ = ("_around", "_make", "_name_bytes", "_placeholders", "_value_bytes")

    _make: Callable[[bytes, str], Any]
    _placeholders: dict[str, Any]
    _around: int
    _name_bytes: int
    _value_bytes: int

    def placeholders(self, make: Callable[[bytes, str], Any]) -> Mapping[str, Any]:
        """The placeholder of each attribute, made by ``make``, which is the same function in all calls."""
        try:
            return self._placeholders
        except AttributeError:  # two threads may get here at once; their results are equivalent
            self._make = make
            self._placeholders = made = dict(zip(self, map(make, self.values(), self), strict=True))
            return made

    @property
    def value_bytes(self) -> int:
        """Bytes of all encoded values."""
        try:
            return self._value_bytes
        except AttributeError:
            self._value_bytes = total = sum(map(len, self.values()))
            return total

    @property
    def size(self) -> int:
        """The size that counts against `max_session_bytes`: all names and encoded values."""
        try:
            return self._value_bytes + self._name_bytes
        except AttributeError:
            self._name_bytes = names = sum(map(len, self))
            return self.value_bytes + names

    def around(self, measure: Callable[[StoredAttributes], int]) -> int:
        """The result of ``measure``, the same function in all calls, which must not depend on values."""
        try:
            return self._around
        except AttributeError:
            self._around = around = measure(self)
            return around

    def altered(self, changed: Mapping[str, bytes], removed: Collection[str] = ()) -> StoredAttributes:
        """Without those that were removed and then with those that were changed; the others keep their placeholders."""
        altered, value_bytes = StoredAttributes(self), self.value_bytes
        for name in removed:
            value_bytes -= len(altered.pop(name, b""))
        for name, raw in changed.items():
            value_bytes += len(raw) - len(altered.get(name, b""))
            altered[name] = raw
        altered._value_bytes = value_bytes
        if not removed and len(altered) == len(self):
            try:  # noqa: SIM105 - twenty times as fast as `suppress`
                altered._name_bytes, altered._around = self._name_bytes, self._around
            except AttributeError:  # not computed yet
                pass
        try:
            placeholders, make = self._placeholders.copy(), self._make
        except AttributeError:
            return altered
        for name in removed:
            placeholders.pop(name, None)
        for name, raw in changed.items():
            placeholders[name] = make(raw, name)
        altered._placeholders, altered._make = placeholders, make
        return altered


NO_ATTRIBUTES: Final = StoredAttributes()
