"""Sessions with a principal: bound so that the principal's index never misses one, and found by it (E-9).

A session that is bound, or rotated while bound, is announced in the index under its new key, then created or moved, and
then confirmed. A process that dies in between leaves a member that the next reader confirms or removes. Other commits
do not touch the index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ....errors import NonStopTimeout, StoreUnavailable
from ....record import CommitOutcome, CommitStatus, NewSession, RotationTarget, SessionDelta, SessionKey, SessionRecord
from ....store.listing import Names, SessionHead
from ..format.forward import Redirect
from ..format.metadata import ScriptStatus
from ..format.principal import key_of, member_of
from .commit import Commits
from .heads import Found, Heads
from .principal_index import PrincipalIndex, Scored, note_unkept

__all__ = ["Principals"]


class Principals:
    """The sessions with a principal of one store.

    Args:
        index: the indexes of principals.
        commits: creates and moves the sessions.
        heads: reads them.
    """

    def __init__(self, index: PrincipalIndex, commits: Commits, heads: Heads) -> None:
        self._index = index
        self._commits = commits
        self._heads = heads

    async def create(self, new: NewSession, principal: str, deadline: float) -> SessionRecord | None:
        """Store a new session with this principal, see `Store.create`."""
        await self._announce(principal, new.key, deadline)
        record = await self._commits.create(new, deadline)
        try:
            if record is not None:
                await self._index.confirm(principal, [(new.key, record.deadline_ms)], deadline)
        except StoreUnavailable as error:
            note_unkept(error)
        return record

    async def rotate(self, delta: SessionDelta, successor: RotationTarget, deadline: float) -> CommitOutcome:
        """Move a session that has a principal before or after it, see `Store.rotate`."""
        after = successor.principal_after
        if after:
            await self._announce(after, successor.key, deadline)
        outcome = await self._commits.rotate(delta, successor, deadline)
        try:
            if outcome.status is CommitStatus.APPLIED and outcome.moved is None:
                await self._follow(delta.key, successor, deadline)
            elif after and outcome.status is not CommitStatus.UNKNOWN:
                await self._index.take_out(after, [successor.key], deadline)
        except StoreUnavailable as error:
            note_unkept(error)
        return outcome

    async def _follow(self, old: SessionKey, successor: RotationTarget, deadline: float) -> None:
        """Update the indexes: a session has moved, and may have another principal."""
        if successor.principal:
            await self._index.take_out(successor.principal, [old], deadline)
        if after := successor.principal_after:
            found = await self._heads.read([successor.key], (), deadline)
            await self._confirm(after, found.values(), deadline)

    async def _announce(self, principal: str, key: SessionKey, deadline: float) -> None:
        """Announce a session before it is created or moved.

        Raises:
            StoreUnavailable: that failed. The session is unchanged then, so its outcome is never unknown.
        """
        try:
            due = await self._index.announce(principal, key, deadline)
            if due:
                await self.look_after(principal, due, (), deadline)
        except StoreUnavailable as error:
            if not error.unknown:
                raise
            raise NonStopTimeout("the store has not answered in time, and the session was not changed") from error

    async def heads_of(
        self, principal: str, keys: Collection[SessionKey], names: Names, deadline: float
    ) -> list[SessionHead]:
        """See `Indexing.heads_of`."""
        members = await self._index.scores_of(principal, keys, deadline)
        found = await self.look_after(principal, members, names, deadline)
        live = (each for each in found.values() if isinstance(each, SessionRecord) and each.principal == principal)
        return [SessionHead.of(record, record.attributes) for record in live]

    async def look_after(
        self, principal: str, members: Scored, names: Names, deadline: float
    ) -> dict[SessionKey, Found]:
        """Read the sessions of these members of an index, and repair their entries."""
        found = await self._heads.read([key_of(member) for member in members], names, deadline)
        gone = [key for key, each in found.items() if each is ScriptStatus.REVOKED or isinstance(each, Redirect)]
        missing = {member: score for member, score in members.items() if found[key_of(member)] is ScriptStatus.GONE}
        unconfirmed = [
            each
            for each in found.values()
            if isinstance(each, SessionRecord) and members[member_of(each.key)] != each.deadline_ms
        ]
        try:
            await self._confirm(principal, unconfirmed, deadline)
            await self._index.take_out(principal, gone, deadline)
            await self._index.forget(principal, missing, deadline)
        except StoreUnavailable as error:
            note_unkept(error)
        return found

    async def _confirm(self, principal: str, found: Iterable[Found], deadline: float) -> None:
        live = (each for each in found if isinstance(each, SessionRecord))
        await self._index.confirm(principal, ((each.key, each.deadline_ms) for each in live), deadline)
