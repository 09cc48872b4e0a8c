"""The stored state of a session, the delta that changes it, and the outcome of the change."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Enum
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

from .attributes import StoredAttributes
from .history import UNKNOWN_PAST, continued, holds
from .keys import Place, PrincipalBinding, RotationTarget, SessionKey
from .struct import Struct, astuple, field, replace

__all__ = [
    "APPLIED",
    "LONGEST_INTERVAL_MS",
    "CommitOutcome",
    "CommitStatus",
    "NewSession",
    "Seen",
    "SessionChanges",
    "SessionDelta",
    "SessionRecord",
    "new_commit_id",
    "new_incarnation",
]

LONGEST_INTERVAL_MS: Final = 2**52
"""The longest idle timeout, 142 000 years. Scripts at the store count in doubles, exact up to twice as much, and treat
a record with more as damaged (R-20)."""
_EMPTY: Mapping[str, bytes] = MappingProxyType({})
_NO_NUMBERS: Mapping[str, int | float] = MappingProxyType({})


def new_incarnation() -> int:
    """A random unsigned 64-bit number, drawn once per creation; a rotation counts as a creation (C-7)."""
    return int.from_bytes(os.urandom(8))


new_commit_id: Final = partial(os.urandom, 8)
"""Draws 8 random bytes, which make a resent commit recognisable (C-9)."""


class Seen(NamedTuple):
    """The state a caller already holds, given to a conditional load."""

    incarnation: int
    version: int


class NewSession(Struct, frozen=True, gc=False):
    """A session about to be created."""

    key: SessionKey
    attributes: Mapping[str, bytes]
    interval_ms: int
    """Idle timeout in milliseconds, up to `LONGEST_INTERVAL_MS`; 0 means none."""
    lifetime_ms: int
    """Milliseconds from creation to the absolute deadline; always positive."""
    incarnation: int = field(default_factory=new_incarnation)
    principal: str | None = None
    """The principal that the session belongs to; None if there is none (S-55)."""


class SessionRecord(Struct, frozen=True, gc=False):  # noqa: PLW1641 - it has no hash, since it holds a dict
    """One stored state of one session. Immutable: requests decode their own copies from it (C-2, K-11)."""

    key: SessionKey
    incarnation: int
    version: int
    created_ms: int
    interval_ms: int
    """Idle timeout in milliseconds; 0 means none."""
    deadline_ms: int
    """The absolute deadline, which activity never moves (S-53)."""
    expires_ms: int
    """When the session ends unless it is touched: ``min(last access + interval, deadline)``."""
    attributes: StoredAttributes
    rotated: int = 0
    """The version of its latest rotation; 0 if the session has the id that it was created with."""
    lineage: bytes = UNKNOWN_PAST
    """The versions that led to this state, see `wsgessions.record.history`. The same state may be known with a longer
    or shorter lineage, so two records that differ in this alone are equal."""
    binding: PrincipalBinding | None = None
    """The principal; None if there is none. Only a rotation changes it, so that one incarnation has one (S-55)."""
    renewed_from: bytes = b""
    """The digest of the key that the session had before its id was renewed, and that leads to it (C-23); empty if there
    is none. The prefix of both keys is the same."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SessionRecord):
            return NotImplemented
        return astuple(replace(self, lineage=other.lineage)) == astuple(other)

    @property
    def seen(self) -> Seen:
        return Seen(self.incarnation, self.version)

    @property
    def principal(self) -> str | None:
        """The principal; None if there is none."""
        return None if self.binding is None else self.binding.principal

    def follows(self, version: int) -> bool:
        """Whether a version of this incarnation that a client has seen may have led to this state (C-12).

        False proves that a commit was lost: the version is above this one, or is missing in its lineage.
        """
        return version == self.version or (version < self.version and holds(self.lineage, version))

    def merged(self, changes: SessionChanges) -> SessionRecord:
        """This state brought up to ``changes``, which must follow from it."""
        removed = () if changes.live is None else self.attributes.raw.keys() - changes.live
        return replace(
            self,
            version=changes.version,
            interval_ms=changes.interval_ms,
            expires_ms=changes.expires_ms,
            attributes=self.attributes.altered(changes.changed, removed),
            lineage=self.lineage if changes.version == self.version else changes.lineage,
        )

    def after(
        self, delta: SessionDelta, outcome: CommitOutcome, successor: RotationTarget | None = None
    ) -> SessionRecord:
        """This state, or a newer one, with an accepted commit on top.

        An outcome older than this state is contained in it already: it arrived after a later one. But if it is older
        than even the commit's base, the store has another timeline, and the outcome contains the whole state (C-12).
        The reply to a resend can contain changes newer than the commit: they are then applied on top of it, with their
        own version, since no content may be shown under a version that it does not have (C-8, K-04).
        """
        if delta.base < outcome.version <= self.version:
            return self
        others, moved = outcome.changes, outcome.moved
        newer = others if others is not None and others.version > outcome.version else None
        below = self if others is None or newer is not None else self.merged(others)
        key, incarnation, rotated, binding = self.key, self.incarnation, self.rotated, self.binding
        renewed_from = self.renewed_from
        if moved is not None:
            key, incarnation, rotated = moved
            renewed_from = delta.key.digest
        elif successor is not None:
            key, incarnation, rotated = successor.key, successor.incarnation, outcome.version
            binding = successor.binding_at(outcome.version, binding)
            renewed_from = delta.key.digest if successor.forward_ms else b""
        attributes, lineage = delta.attributes, below.lineage
        if attributes is None or below is not self or self.version != delta.base:
            attributes = below.attributes.altered({**delta.changed, **outcome.computed}, delta.removed)
        if below.version != outcome.version:
            lineage = continued(lineage if below.version == outcome.previous else UNKNOWN_PAST, outcome.version)
        done = SessionRecord(
            key,
            incarnation,
            outcome.version,
            self.created_ms,
            below.interval_ms if delta.interval_ms is None else delta.interval_ms,
            self.deadline_ms,
            outcome.expires_ms,
            attributes,
            rotated,
            lineage,
            binding,
            renewed_from,
        )
        return done if newer is None else done.merged(newer)


class SessionChanges(Struct, frozen=True, gc=False):
    """The changes of a session since a version that the caller holds; empty if there are none."""

    version: int
    interval_ms: int
    expires_ms: int
    changed: Mapping[str, bytes] = _EMPTY
    """Attributes written since, with their present values."""
    live: frozenset[str] | None = None
    """The names of all present attributes if an attribute was removed since; otherwise None (C-9)."""
    lineage: bytes = UNKNOWN_PAST
    """The lineage of the version that these changes lead to; absent if it is the version that the caller holds."""


class SessionDelta(Struct, frozen=True, gc=False):
    """The changes of one commit. Attributes that are not named stay as they are."""

    key: SessionKey
    incarnation: int
    base: int
    """The version that the caller's state has."""
    changed: Mapping[str, bytes] = _EMPTY
    removed: frozenset[str] = frozenset()
    increments: Mapping[str, int | float] = _NO_NUMBERS
    """Numbers to add at the store, after ``changed`` was applied; an absent attribute counts as 0 (C-10)."""
    guarded: frozenset[str] = frozenset()
    """Attributes that must not have been written or removed since ``base``, else `CommitStatus.CONFLICT`."""
    interval_ms: int | None = None
    """A new idle timeout, or None to keep the present one."""
    attributes: StoredAttributes | None = None
    """The attributes after this delta, if it is applied to the version ``base``; None if they were not computed."""
    commit_id: bytes = field(default_factory=new_commit_id)


class CommitStatus(Enum):
    """The result of a commit. Only `APPLIED` changed the session, and `UNKNOWN` may have."""

    APPLIED = "applied"
    """Stored; also the answer to a resend of a commit that had been stored before."""
    GONE = "gone"
    """Rejected: no such record, or a tombstone, or another incarnation. Never retried (C-9, S-62)."""
    CONFLICT = "conflict"
    """Rejected: a guarded attribute was changed since the base; `CommitOutcome.changes` has the present values."""
    NOT_A_NUMBER = "not_a_number"
    """Rejected: an attribute to be incremented is not an int or float, or would leave the exact range (2**53)."""
    UNKNOWN = "unknown"
    """A resend that is too late to find out whether its first sending was applied (C-9)."""


APPLIED: Final = CommitStatus.APPLIED
"""By name, because up to Python 3.11 each access to a member of an Enum is a call, and every commit is compared with
it."""


class CommitOutcome(Struct, frozen=True, gc=False):
    """The store's answer to a commit."""

    status: CommitStatus
    version: int = 0
    """The session's version after the commit; on a conflict, its present version."""
    previous: int = 0
    """The version that the commit followed. If it is not the delta's base, other requests have committed in between."""
    expires_ms: int = 0
    computed: Mapping[str, bytes] = _EMPTY
    """The results of in-store operations."""
    changes: SessionChanges | None = None
    """The changes of others since the base, without the caller's own attributes; None if there are none."""
    overwritten: tuple[str, ...] = ()
    """Names in the delta that others had written since the base: the last write wins and is counted (C-10)."""
    names: tuple[str, ...] = ()
    """The attributes that caused a rejection."""
    moved: Place | None = None
    """The place of the session, if another request had renewed its id; a successor in the call was then not used."""
    after: SessionRecord | None = None
    """The session's state after the commit, if the store has computed it for a cached copy, or has read it."""

    def is_incomplete(self, delta: SessionDelta) -> bool:
        """Whether others have committed since the base of the delta, with changes that the answer does not contain."""
        return self.changes is None and self.previous != delta.base
