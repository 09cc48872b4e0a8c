"""How large a session may become (R-04). Checked before anything is sent, so that what is stored stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from .errors import SessionTooLarge

__all__ = ["SessionLimits", "size_of"]

_NOTHING: Final[Mapping[str, bytes]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """The limits of one manager."""

    max_bytes: int
    """Of all names and encoded values of one session."""
    max_attributes: int

    def check(
        self, attributes: Mapping[str, bytes], changed: AbstractSet[str], before: Mapping[str, bytes] = _NOTHING
    ) -> int:
        """Measure a session as it would be after a commit.

        Args:
            attributes: the whole session, encoded.
            changed: the names that the commit changes; the largest of them is blamed.
            before: the session as it is. One that is beyond a limit already, because the limit was lowered, may still
                be changed in every way that does not make it larger, and rotated.

        Returns:
            Its size in bytes.

        Raises:
            SessionTooLarge: a limit would be exceeded.
        """
        if len(attributes) > max(self.max_attributes, len(before)):
            raise SessionTooLarge(
                f"the session would have {len(attributes)} attributes, and max_attributes is {self.max_attributes}",
                path=min(changed, default=""),
            )
        size = size_of(attributes)
        if size > self.max_bytes and size > size_of(before):
            largest = max(changed, key=lambda name: len(attributes[name]), default="")
            raise SessionTooLarge(
                f"takes {len(attributes.get(largest, b''))} bytes and would bring the session to {size}, and "
                f"max_session_bytes is {self.max_bytes}",
                path=largest,
                hint="store large data elsewhere and keep a reference to it in the session",
            )
        return size


def size_of(attributes: Mapping[str, bytes]) -> int:
    """Bytes of all names and encoded values."""
    return sum(map(len, attributes.values())) + sum(map(len, attributes))
