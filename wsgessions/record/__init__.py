"""What is stored of a session, and what is sent to change it: frozen values that know nothing of a store.

Begin with `record`, which has the state and the change; `attributes`, `places`, `lineage` and `principal` are what they
consist of.
"""

from __future__ import annotations

from .attributes import NO_ATTRIBUTES, StoredAttributes
from .places import Binding, Place, SessionKey, Successor
from .record import (
    APPLIED,
    CommitOutcome,
    CommitStatus,
    NewSession,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionRecord,
    new_commit_id,
    new_incarnation,
)

__all__ = [
    "APPLIED",
    "NO_ATTRIBUTES",
    "Binding",
    "CommitOutcome",
    "CommitStatus",
    "NewSession",
    "Place",
    "Seen",
    "SessionChanges",
    "SessionDelta",
    "SessionKey",
    "SessionRecord",
    "StoredAttributes",
    "Successor",
    "new_commit_id",
    "new_incarnation",
]
