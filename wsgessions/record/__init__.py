"""The stored state of a session, and the deltas that change it: frozen values that do not depend on a store.

Times are integer milliseconds since the epoch **by the store's clock** (C-16). Versions are integer microseconds by the
same clock, strictly growing within a session (C-8). Attribute values are bytes made by `wsgessions.codec`.

Begin with `record`, which has the state and the delta; `attributes`, `keys`, `history` and `principal` are their parts.
"""

from __future__ import annotations

from .attributes import NO_ATTRIBUTES, StoredAttributes, allow_placeholders
from .keys import Place, PrincipalBinding, RotationTarget, SessionKey
from .record import (
    APPLIED,
    LONGEST_INTERVAL_MS,
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
    "SessionKey",
    "Seen",
    "NewSession",
    "SessionRecord",
    "StoredAttributes",
    "allow_placeholders",
    "NO_ATTRIBUTES",
    "SessionChanges",
    "SessionDelta",
    "CommitStatus",
    "APPLIED",
    "LONGEST_INTERVAL_MS",
    "CommitOutcome",
    "RotationTarget",
    "Place",
    "PrincipalBinding",
    "new_incarnation",
    "new_commit_id",
]
