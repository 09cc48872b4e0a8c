"""The stored form of one session in a store that computes in Python."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from ...internal.masked import masked
from ...record import (
    CommitOutcome,
    NewSession,
    Place,
    PrincipalBinding,
    RotationTarget,
    SessionChanges,
    SessionKey,
    SessionRecord,
    StoredAttributes,
)
from ...record.history import UNKNOWN_PAST, begun, continued, holds
from ...store.constants import COMMITS_REMEMBERED, REPLACED_MS, TOMBSTONE_MS

__all__ = ["Attribute", "Commit", "StoredSession"]


@masked
class Attribute(NamedTuple):
    """One value, with its version."""

    version: int
    """The version that wrote it."""
    raw: bytes


@masked
class Commit(NamedTuple):
    """A commit that is recognised if it is sent again."""

    id: bytes
    outcome: CommitOutcome


@dataclass(slots=True)
class StoredSession:
    """The content of one key: a session, or after its end a tombstone."""

    key: SessionKey
    incarnation: int
    version: int
    created: int
    interval: int
    deadline: int
    expires: int
    attributes: dict[str, Attribute]
    removed: int = 0
    """The version of the latest removal of an attribute."""
    floor: int = 0
    """The version before the oldest remembered commit."""
    commits: deque[Commit] = field(default_factory=deque[Commit])
    rotated: int = 0
    """The version of the latest rotation."""
    tombstone_until: int | None = None
    moved: Place | None = None
    """In a tombstone: the new place of the session since its id was renewed (S-07)."""
    leads_until: int = 0
    """The time until which the old key leads there."""
    binding: PrincipalBinding | None = None
    """The principal and the version that bound it."""
    given_up: int = 0
    """In a tombstone: the time when its client gave the id up, or 0 if it did not (C-24)."""
    renewed_from: bytes = b""
    """The digest of the old key that leads here since the id was renewed; empty if there is none (C-23)."""

    @classmethod
    def begun(cls, new: NewSession, now: int) -> StoredSession:
        """A new session, created now."""
        version = now * 1000
        entry = cls(
            key=new.key,
            incarnation=new.incarnation,
            version=version,
            created=now,
            interval=new.interval_ms,
            deadline=now + new.lifetime_ms,
            expires=0,
            attributes={name: Attribute(version, raw) for name, raw in new.attributes.items()},
            floor=version,
            binding=PrincipalBinding(new.principal, version) if new.principal else None,
        )
        entry.expires = entry.idle_end(now)
        return entry

    def end(self, now: int, *, by_client: bool) -> None:
        """Become a tombstone."""
        self.attributes, self.binding = {}, None
        self.tombstone_until = now + TOMBSTONE_MS
        self.given_up = now if by_client else 0

    def moved_to(self, successor: RotationTarget, now: int) -> StoredSession:
        """Become a tombstone, and return the successor."""
        heir = StoredSession(
            key=successor.key,
            incarnation=successor.incarnation,
            version=self.version,
            created=self.created,
            interval=self.interval,
            deadline=self.deadline,
            expires=self.expires,
            attributes=self.attributes,
            removed=self.removed,
            floor=self.floor,
            commits=self.commits.copy(),
            rotated=self.version,
            binding=successor.binding_at(self.version, self.binding),
            renewed_from=self.key.digest if successor.forward_ms else b"",
        )
        if successor.forward_ms:
            self.moved = Place(successor.key, successor.incarnation, self.version)
            self.leads_until = self.deadline
        self.end(now, by_client=not successor.forward_ms)
        if self.moved is not None:
            self.tombstone_until = self.deadline + TOMBSTONE_MS
        return heir

    def end_forward(self, now: int, grace: int) -> bool:
        """End the forward after the grace; returns whether that is earlier than before (C-23)."""
        if self.moved is None or self.leads_until <= now + grace:
            return False
        self.leads_until = now + grace
        self.tombstone_until = self.leads_until + TOMBSTONE_MS
        return True

    def was_replaced(self, now: int) -> bool:
        """See `Store.was_replaced`."""
        return self.given_up > now - REPLACED_MS

    def idle_end(self, now: int) -> int:
        return min(now + self.interval, self.deadline) if self.interval else self.deadline

    def usable(self, now: int, grace: int) -> bool:
        """Whether it may still be changed; the deadline has no grace (C-16)."""
        return self.tombstone_until is None and self.deadline > now and self.expires > now - grace

    def obsolete_at(self, grace: int) -> int:
        return self.expires + grace if self.tombstone_until is None else self.tombstone_until

    def in_history(self, version: int) -> bool:
        """Whether a version that was seen can belong to this lineage (C-8, C-12). Nothing is known below the floor."""
        return version == self.version or holds(self.lineage, version)

    @property
    def lineage(self) -> bytes:
        """See `SessionRecord.lineage`; the present version may be one that is not remembered yet."""
        lineage = begun(self.floor)
        for commit in self.commits:
            lineage = continued(lineage, commit.outcome.version)
        return lineage if lineage[-8:] == begun(self.version) else continued(lineage, self.version)

    def remembered(self, commit_id: bytes) -> CommitOutcome | None:
        """The outcome of a commit that is sent again; None if it is not known."""
        return next((commit.outcome for commit in self.commits if commit.id == commit_id), None)

    def remember(self, commit: Commit) -> None:
        if len(self.commits) == COMMITS_REMEMBERED:
            self.floor = self.commits.popleft().outcome.version
        self.commits.append(commit)

    def record(self) -> SessionRecord:
        return SessionRecord(
            key=self.key,
            incarnation=self.incarnation,
            version=self.version,
            created_ms=self.created,
            interval_ms=self.interval,
            deadline_ms=self.deadline,
            expires_ms=self.expires,
            attributes=StoredAttributes({name: attribute.raw for name, attribute in self.attributes.items()}),
            rotated=self.rotated,
            lineage=self.lineage,
            binding=self.binding,
            renewed_from=self.renewed_from,
        )

    def changes(self, since: int, *, own: Collection[str] = (), removed: int | None = None) -> SessionChanges:
        """The attributes written after ``since``, without ``own``; and all names, if the removal ``removed`` came
        later.
        """
        return SessionChanges(
            version=self.version,
            interval_ms=self.interval,
            expires_ms=self.expires,
            changed={name: at.raw for name, at in self.attributes.items() if at.version > since and name not in own},
            live=frozenset(self.attributes) if (self.removed if removed is None else removed) > since else None,
            lineage=UNKNOWN_PAST if since == self.version else self.lineage,
        )
