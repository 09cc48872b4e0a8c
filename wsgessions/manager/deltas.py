"""The content of a commit."""

from __future__ import annotations

from typing import Final

from ..record import SessionDelta, SessionRecord
from ..session import Session, unit_of

__all__ = ["delta_of"]

_NO_NAMES: Final[frozenset[str]] = frozenset()


def delta_of(session: Session, record: SessionRecord, *, guard: bool) -> SessionDelta | None:
    """The changes of a session since it was last stored; None if a commit would send nothing.

    Args:
        session: the session.
        record: the state that the changes are based on.
        guard: whether the store shall reject the commit if other requests have changed the same attributes (C-10).
    """
    unit = unit_of(session)
    changes = unit.collect(session)
    if not (changes.changed or changes.removed or unit.pending_id or unit.interval_ms is not None):
        return None
    return SessionDelta(
        record.key,
        record.incarnation,
        record.version,
        changes.changed,
        changes.removed,
        guarded=changes.removed.union(changes.changed) if guard else _NO_NAMES,
        interval_ms=unit.interval_ms,
    )
