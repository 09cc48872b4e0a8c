"""Applies a commit to a `StoredSession`: for stores that compute in Python instead of in a server (C-9, C-10)."""

from __future__ import annotations

from ...record import CommitOutcome, CommitStatus, Place, RotationTarget, SessionDelta
from ...record.struct import replace
from .entry import Attribute, Commit, StoredSession
from .increments import sums

__all__ = ["commit", "led_on"]


def commit(entry: StoredSession, delta: SessionDelta, now: int, *, room: bool) -> CommitOutcome:
    """Change the entry, or reject the commit and leave the entry unchanged.

    Args:
        entry: an existing session that may be changed; it does not remember the commit.
        delta: the commit.
        now: the store's time in milliseconds.
        room: whether the new key of a rotation is free; True without a rotation.
    """
    since = delta.base if entry.in_history(delta.base) else -1
    refusal = _conflict(entry, delta, since)
    if refusal is not None:
        return refusal
    added = sums(delta, lambda name: entry.attributes[name].raw if name in entry.attributes else None)
    computed = {name: raw for name, raw in added.items() if raw is not None}
    if len(computed) < len(added):
        names = tuple(name for name in added if name not in computed)
        return CommitOutcome(CommitStatus.NOT_A_NUMBER, entry.version, entry.version, entry.expires, names=names)
    if not room:
        return CommitOutcome(CommitStatus.CONFLICT, entry.version, entry.version, entry.expires)
    return _write(entry, delta, computed, since, now)


def led_on(
    delta: SessionDelta, successor: RotationTarget | None, place: Place
) -> tuple[SessionDelta, RotationTarget | None]:
    """The remaining part of a change for the present place of the session, since its id was renewed a moment ago
    (S-07).

    A renewal has no remaining part, a rotation has.
    """
    needed = successor if successor is not None and not successor.forward_ms else None
    return replace(delta, key=place.key, incarnation=place.incarnation), needed


def _conflict(entry: StoredSession, delta: SessionDelta, since: int) -> CommitOutcome | None:
    """The rejection, if a guarded attribute was written or removed after ``since``; an absent one may have been."""
    if since == entry.version:
        return None
    absent = Attribute(entry.removed, b"")
    names = tuple(name for name in delta.guarded if entry.attributes.get(name, absent).version > since)
    if not names:
        return None
    version, changes = entry.version, entry.changes(since)
    return CommitOutcome(CommitStatus.CONFLICT, version, version, entry.expires, changes=changes, names=names)


def _write(
    entry: StoredSession, delta: SessionDelta, computed: dict[str, bytes], since: int, now: int
) -> CommitOutcome:
    own = {*delta.changed, *delta.removed}
    overwritten = tuple(name for name in own if name in entry.attributes and entry.attributes[name].version > since)
    previous, was_removed = entry.version, entry.removed
    entry.version = max(previous + 1, now * 1000)
    for name in delta.removed:
        if entry.attributes.pop(name, None) is not None:
            entry.removed = entry.version
    for name, raw in {**delta.changed, **computed}.items():
        entry.attributes[name] = Attribute(entry.version, raw)
    entry.interval = entry.interval if delta.interval_ms is None else delta.interval_ms
    entry.expires = entry.idle_end(now)
    changes = None
    if since != previous:
        changes = entry.changes(since, own={*own, *computed}, removed=was_removed)
    outcome = CommitOutcome(
        CommitStatus.APPLIED, entry.version, previous, entry.expires, computed, changes, overwritten
    )
    entry.remember(Commit(delta.commit_id, outcome))
    return outcome
