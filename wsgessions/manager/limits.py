"""The size limits of sessions (R-04). Checked before anything is sent, so that the stored session stays unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import SessionTooLarge
from ..record import StoredAttributes

__all__ = ["SessionLimits"]


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """The limits of one manager."""

    max_bytes: int
    """The bound for all names and encoded values of one session."""
    max_attributes: int

    def check(self, before: StoredAttributes, after: StoredAttributes, changed: Mapping[str, bytes]) -> None:
        """Check the size of a session after a commit.

        Args:
            before: the session before the commit. If it exceeds a limit already, because the limit was lowered, it may
                still be rotated, and changed in every way that does not make it larger.
            after: the session after it.
            changed: the attributes that the commit sets; the error names the largest of them.

        Raises:
            SessionTooLarge: a limit would be exceeded.
        """
        # No variable holds a value: the errors below are shown with all variables (S-80).
        count = len(after.raw)
        if count > self.max_attributes and count > len(before.raw):
            raise SessionTooLarge(
                f"the session would have {count} attributes, and max_attributes is {self.max_attributes}",
                path=min(changed, default=""),
            )
        if after.size > self.max_bytes and after.size > before.size:
            largest = max(changed, key=lambda name: len(changed[name]), default="")
            raise SessionTooLarge(
                f"takes {len(changed.get(largest, b''))} bytes and would bring the session to {after.size}, and "
                f"max_session_bytes is {self.max_bytes}",
                path=largest,
                hint="store large data elsewhere and keep a reference to it in the session",
            )
