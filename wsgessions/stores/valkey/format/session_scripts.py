"""The scripts for all operations on sessions: one purpose each, with one common head (``scripts/record.lua``)."""

from __future__ import annotations

from typing import Final

from ..client.script import Script

__all__ = ["COMMIT", "CREATE", "DELETE", "DUE", "END_FORWARD", "LOAD", "REAP", "REINDEX", "TOUCH"]

CREATE: Final = Script.load("create", "clock", "record", "in_parts")
"""Store a new session."""
LOAD: Final = Script.load("load", "clock", "record", "history")
"""Read a session, or its changes since a version."""
COMMIT: Final = Script.load("commit", "clock", "record", "in_parts", "history")
"""Change a session, and for a rotation move it."""
TOUCH: Final = Script.load("touch", "clock", "record")
"""Restart the idle time of sessions of one segment."""
DELETE: Final = Script.load("delete", "clock", "record", "history")
"""Remove a session and leave a tombstone."""
END_FORWARD: Final = Script.load("end_forward", "clock", "record")
"""End the forwards of old ids after the grace."""
DUE: Final = Script.load("due", "clock")
"""Claim a segment and list its expired sessions."""
REAP: Final = Script.load("reap", "clock", "record")
"""Delete expired sessions."""
REINDEX: Final = Script.load("reindex", "clock", "record")
"""Index sessions again that have no score."""
