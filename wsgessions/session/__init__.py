"""The session that one request sees: a dict that decodes on first touch and knows what has changed in it.

Begin with `session`, what an application uses. Below it, each the base of the one before: `login`, `state`,
`mapping`, `tracking`. What needs the store is asked of the repository (`owner`).
"""

from __future__ import annotations

from .owner import CommitReport, ServedFrom, SessionStatus
from .session import Session
from .shadowing import ShadowedNameWarning

__all__ = ["CommitReport", "ServedFrom", "Session", "SessionStatus", "ShadowedNameWarning"]
