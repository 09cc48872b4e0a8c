"""The scripts that do everything to sessions: one purpose each, over one common head (``scripts/record.lua``)."""

from __future__ import annotations

from typing import Final

from .script import Script

__all__ = ["COMMIT", "CREATE", "DELETE", "DUE", "LOAD", "REAP", "REINDEX", "TOUCH"]


_RECORD: Final = Script.load("record").source
_HISTORY: Final = Script.load("history").source


def _load(name: str, more: str = "") -> Script:
    """A script with the common head. Its own first line names it a script and says what it does to the store."""
    shebang, _, body = Script.load(name).source.partition("\n")
    return Script(name, f"{shebang}\n{_RECORD}{more}{body}")


CREATE: Final = _load("create")
"""Store a new session."""
LOAD: Final = _load("load", _HISTORY)
"""Read a session, or what has changed since."""
COMMIT: Final = _load("commit", _HISTORY)
"""Change a session, and for a rotation move it."""
TOUCH: Final = _load("touch")
"""Start the idle time of sessions of one segment anew."""
DELETE: Final = _load("delete", _HISTORY)
"""Remove a session and leave a tombstone."""
DUE: Final = _load("due")
"""Claim a segment and list what has expired there."""
REAP: Final = _load("reap")
"""Delete what has expired."""
REINDEX: Final = _load("reindex")
"""Index again what was found without a score."""
