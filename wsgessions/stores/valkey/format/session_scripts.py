"""The scripts that do everything to sessions: one purpose each, over one common head (``scripts/record.lua``)."""

from __future__ import annotations

from typing import Final

from ..client.script import Script

__all__ = ["COMMIT", "CREATE", "DELETE", "DUE", "END_FORWARD", "LOAD", "REAP", "REINDEX", "TOUCH"]

CREATE: Final = Script.load("create", "clock", "record", "in_parts")
"""Store a new session."""
LOAD: Final = Script.load("load", "clock", "record", "history")
"""Read a session, or what has changed since."""
COMMIT: Final = Script.load("commit", "clock", "record", "in_parts", "history")
"""Change a session, and for a rotation move it."""
TOUCH: Final = Script.load("touch", "clock", "record")
"""Start the idle time of sessions of one segment anew."""
DELETE: Final = Script.load("delete", "clock", "record", "history")
"""Remove a session and leave a tombstone."""
END_FORWARD: Final = Script.load("end_forward", "clock", "record")
"""Have old ids lead to their sessions for a while more, and no longer."""
DUE: Final = Script.load("due", "clock")
"""Claim a segment and list what has expired there."""
REAP: Final = Script.load("reap", "clock", "record")
"""Delete what has expired."""
REINDEX: Final = Script.load("reindex", "clock", "record")
"""Index again what was found without a score."""
