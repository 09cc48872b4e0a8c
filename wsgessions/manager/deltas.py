"""What a commit has to send."""

from __future__ import annotations

from typing import Final

from ..record import SessionDelta, SessionRecord
from ..session import Session

__all__ = ["delta_of"]

_NO_NAMES: Final[frozenset[str]] = frozenset()


def delta_of(session: Session, record: SessionRecord, *, guard: bool) -> SessionDelta | None:
    """What has changed in a session since it was last stored; None if a commit would send nothing.

    Args:
        session: the session.
        record: what it rests on.
        guard: whether the store shall refuse the commit where others have changed the same attributes (C-10).
    """
    changes = session._collect()
    if not (changes.changed or changes.removed or session._successor or session._interval_ms is not None):
        return None
    return SessionDelta(
        record.key,
        record.incarnation,
        record.version,
        changes.changed,
        changes.removed,
        guarded=changes.removed.union(changes.changed) if guard else _NO_NAMES,
        interval_ms=session._interval_ms,
    )
