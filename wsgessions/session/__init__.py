"""The session that one request sees: a dict that decodes values at their first access and tracks its changes.

Begin with `session`, the class for applications; `mapping` implements the dict. The state of the request and its
pending changes are in a `unit_of_work`, whose base `tracking` detects changes. Work in the store is done by a
`SessionRepository`.
"""

from __future__ import annotations

from .mapping import unit_of
from .session import Session, SessionRepository, begin_session, repository_of
from .shadowing import ShadowedNameWarning
from .tracking import names_in
from .unit_of_work import UnitOfWork
from .values import CommitReport, ServedFrom, SessionStatus

__all__ = [
    "CommitReport",
    "ServedFrom",
    "Session",
    "SessionRepository",
    "SessionStatus",
    "ShadowedNameWarning",
    "UnitOfWork",
    "begin_session",
    "names_in",
    "repository_of",
    "unit_of",
]
