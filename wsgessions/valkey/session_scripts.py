"""The scripts that do everything to sessions: one purpose each, over one common head (``scripts/record.lua``)."""

from __future__ import annotations

from typing import Final

from .script import Script

__all__ = ["COMMIT", "CREATE", "DELETE", "DUE", "LOAD", "REAP", "REINDEX", "TOUCH"]

CREATE: Final = Script.load("create", "record")
"""Store a new session."""
LOAD: Final = Script.load("load", "record", "history")
"""Read a session, or what has changed since."""
COMMIT: Final = Script.load("commit", "record", "history")
"""Change a session, and for a rotation move it."""
TOUCH: Final = Script.load("touch", "record")
"""Start the idle time of sessions of one segment anew."""
DELETE: Final = Script.load("delete", "record", "history")
"""Remove a session and leave a tombstone."""
DUE: Final = Script.load("due", "record")
"""Claim a segment and list what has expired there."""
REAP: Final = Script.load("reap", "record")
"""Delete what has expired."""
REINDEX: Final = Script.load("reindex", "record")
"""Index again what was found without a score."""
