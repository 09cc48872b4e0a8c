"""The session that one request sees: a dict that decodes on first touch and knows what has changed in it.

Begin with `session`, what an application uses; `mapping` makes a dict of it. What its request knows of it, and is going
to do to it, stands in a `unit_of_work`, whose half `tracking` finds what has changed. What needs the store is asked of
a `SessionRepository`.
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
