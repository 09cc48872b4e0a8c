"""The session that one request sees: a dict that decodes values at their first access and tracks its changes.

Begin with `session`, the class for applications; `mapping` implements the dict. The state of the request and its
pending changes are in a `unit_of_work`, whose base `tracking` detects changes. Work in the store is done by a
`SessionRepository`.
"""

from __future__ import annotations

from .mapping import unit_of
from .session import Session, SessionRepository, new_session, repository_of, set_repository, set_unit
from .shadowing import ShadowedNameWarning
from .tracking import names_in
from .unit_of_work import UnitOfWork, request_is_over
from .values import CommitReport, ServedFrom, SessionStatus

__all__ = [
    "CommitReport",
    "ServedFrom",
    "Session",
    "SessionRepository",
    "SessionStatus",
    "ShadowedNameWarning",
    "UnitOfWork",
    "names_in",
    "new_session",
    "repository_of",
    "request_is_over",
    "set_repository",
    "set_unit",
    "unit_of",
]
