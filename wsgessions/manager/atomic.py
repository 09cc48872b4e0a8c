"""Changes of one attribute that are carried out in the store: increments, and updates of its current value (C-10)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from ..codec import decode, encode
from ..errors import SessionConflict, WsgessionsError
from ..internal.jitter import chance
from ..internal.masked import Encoded
from ..record import CommitStatus, SessionDelta, SessionRecord
from ..session import Session, unit_of
from ..session.detached import add_numbers
from .committer import Committer

__all__ = ["AtomicOperations"]

MAX_ATTEMPTS: Final = 100
"""Attempts of an update before it yields to faster requests (F-76)."""
FIRST_PAUSE: Final = 0.0005
LONGEST_PAUSE: Final = 0.02
"""Seconds; pauses between attempts are random, from zero to a bound that doubles from the first to the longest."""


class AtomicOperations(Committer):
    """The `SessionRepository` of all sessions of one manager."""

    async def increment(self, session: Session, name: str, by: float) -> float:
        """See `Session.increment`."""
        unit = unit_of(session)
        by = add_numbers(name, 0, by)
        record = unit.record
        if record is None:
            session[name] = total = add_numbers(name, session.get(name, 0), by)
            return total
        delta = SessionDelta(
            record.key, record.incarnation, record.version, self._draft_of(session, name), increments={name: by}
        )
        try:
            await self._send(session, record, delta, self.deadline())
        except WsgessionsError as error:
            self._record_error(unit, error)
            raise
        unit.restore(session, name)
        result: float = session[name]
        return result

    async def update(self, session: Session, name: str, fn: Callable[[Any], Any]) -> Any:
        """See `Session.update`."""
        unit = unit_of(session)
        if unit.record is None:
            session[name] = value = fn(session.get(name))
            return value
        if self._draft_of(session, name):
            raise SessionConflict(
                f"attribute {name!r} has changes that are not committed",
                names=(name,),
                hint="await session.commit() first",
            )
        deadline = self.deadline()
        try:
            for attempt in range(MAX_ATTEMPTS):
                if await self._attempt(session, unit.record, name, fn, deadline):
                    unit.restore(session, name)
                    return session[name]
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)
                await asyncio.sleep(chance.uniform(0, pause))  # jitter, not a secret
            self.statistics.conflicts += 1
            raise SessionConflict(
                f"attribute {name!r} was changed by other requests in each of {MAX_ATTEMPTS} attempts", names=(name,)
            )
        except WsgessionsError as error:
            self._record_error(unit, error)
            raise

    async def _attempt(
        self, session: Session, record: SessionRecord, name: str, fn: Callable[[Any], Any], deadline: float
    ) -> bool:
        to_plain = unit_of(session).to_plain
        changed = Encoded({name: encode(fn(_decoded(record, name)), name=name, to_plain=to_plain)})
        delta = SessionDelta(
            record.key,
            record.incarnation,
            record.version,
            changed,
            guarded=frozenset({name}),
            attributes=record.attributes.altered(changed),
        )
        outcome = await self._send(session, record, delta, deadline)
        return outcome.status is CommitStatus.APPLIED

    def _draft_of(self, session: Session, name: str) -> Encoded:
        """This request's uncommitted change of the attribute: none, or its value; 0 if it was removed."""
        unit = unit_of(session)
        changes = unit.collect(session)
        if name in changes.removed:
            return Encoded({name: encode(0, name=name)})
        return Encoded({name: changes.changed[name]} if name in changes.changed else {})


def _decoded(record: SessionRecord, name: str) -> Any:
    """The attribute's stored value; None without one."""
    return decode(record.attributes[name], name=name) if name in record.attributes else None
