"""The attributes of one stored state of a session, with what has been worked out from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from .attribute_names import bytes_of_own

__all__ = ["NO_ATTRIBUTES", "StoredAttributes"]


class StoredAttributes(dict[str, bytes]):
    """The attributes of one stored state by name, in encoded form. Never changed: another state is another object.

    What stands for them in a session before they are decoded is made once, and serves all requests that see this state.
    So are the sums of their sizes; a state that follows starts from those, and looks at nothing but what has changed.
    """

    __slots__ = ("_make", "_name_bytes", "_placeholders", "_value_bytes")

    _make: Callable[[bytes, str], Any]
    _placeholders: dict[str, Any]
    _name_bytes: tuple[int, int]
    _value_bytes: int

    def placeholders(self, make: Callable[[bytes, str], Any]) -> Mapping[str, Any]:
        """What stands for each attribute, made by ``make``, which is the same function in all calls."""
        try:
            return self._placeholders
        except AttributeError:  # two threads may get here at once; what they make is of equal use
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
    def name_bytes(self) -> tuple[int, int]:
        """Characters of all names, and what those names occupy that no other session shares."""
        try:
            return self._name_bytes
        except AttributeError:
            self._name_bytes = both = sum(map(len, self)), bytes_of_own(self)
            return both

    @property
    def size(self) -> int:
        """What counts against `max_session_bytes`: all names and encoded values."""
        return self.value_bytes + self.name_bytes[0]

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
            altered._name_bytes = self.name_bytes
        made = getattr(self, "_placeholders", None)
        if made is not None:
            altered._make = make = self._make
            altered._placeholders = placeholders = dict(made)
            for name in removed:
                placeholders.pop(name, None)
            for name, raw in changed.items():
                placeholders[name] = make(raw, name)
        return altered


NO_ATTRIBUTES: Final = StoredAttributes()
