"""Moves what a client has in a session of another kind into one of ours: once, whoever asks, and never again.

The id is made of the credential by a keyed digest, so that requests that come at the same time, on any servers, meet in
one session. A marker, which outlives the credential, says since when it has been used. One request makes it, and the
response to that tells the client the id. For the grace of S-07 the others find the session too, without being told its
id; afterwards, or when the session has another id, the credential is unknown. So one that was planted or copied shows
nothing of what its visitor does later (S-62, S-75).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from ..codec import check_name, encode
from ..credentials.presented import ABSENT, OVERSIZED, UNTOLD, PresentedCredentials
from ..errors import CodecError, StoreUnavailable
from ..internal.log_throttle import LogThrottle
from ..internal.masked import forget_variables
from ..manager.atomic import AtomicOperations
from ..record import NewSession, SessionKey, SessionRecord, StoredAttributes
from ..session import Session, repository_of, unit_of
from ..session.values import FROM_STORE
from .derived_ids import DerivedIds, UserOf

__all__ = ["SessionImporter"]

_SPARE: Final = timedelta(hours=1)
"""How far the clocks of servers and store may disagree about the end of a credential."""

_MILLISECOND: Final = timedelta(milliseconds=1)

_log = LogThrottle(logging.getLogger("wsgessions.takeover"))


class _Lasting(NamedTuple):
    """What is told of a session beside its content."""

    remembered: timedelta
    idle: timedelta | None
    principal: str | None


class SessionImporter:
    """Takes over sessions of one other kind.

    Args:
        secret: what the others were signed with, or another secret that all servers share; ids are made by it.
        user_of: says whose a session of some content is, by which a login is recognized too; None to recognize it by
            the names of attributes (`wsgessions.migration.derived_ids`).
    """

    def __init__(self, secret: bytes, *, user_of: UserOf | None = None) -> None:
        self._ids = DerivedIds(hashlib.sha512(secret).digest(), user_of)

    def watch(self, repository: AtomicOperations) -> None:
        """Have a login give another id to a session that was taken over, whatever request the login comes by.

        To be called before the application has a session in its hands; costs nothing from the second time on.
        """
        repository.renewal.watch(self._ids)

    async def bring(
        self,
        session: Session,
        credential: bytes,
        values: Mapping[str, Any] | None,
        *,
        remembered: timedelta,
        idle: timedelta | None = None,
        principal: str | None = None,
    ) -> bool:
        """Put the content of another session into this request's.

        Where the store is in trouble nothing is lost: the session then raises that when it is touched (F-00a).

        Args:
            session: of a request. One that has an id, known or still to be loaded, is left as it is.
            credential: what the client presented instead. That it is genuine must have been found out before.
            values: the content of that session; None if it is not there any more, maybe because another request has
                taken it over. What cannot be stored of it is left out, and logged by name.
            remembered: for how long others may still take the credential for valid.
            idle: the idle timeout of the new session; None for that of the settings.
            principal: whose session it is, as for `Session.bind_user`; None for what ``user_of`` says (S-55).

        Returns:
            Whether the response tells the client the id of its new session, so that nothing else is needed any more of
            what it presented.
        """
        unit = unit_of(session)
        repository = repository_of(session)
        if unit.id is not None or not isinstance(repository, AtomicOperations):
            return False
        if unit.presented.finding is OVERSIZED:
            return False  # it may have one of ours (S-31)
        try:
            if principal is None and values and self._ids.user_of is not None:
                principal = self._ids.user_of(values)
            lasting = _Lasting(remembered, idle, principal)
            return await self._bring(repository, session, credential, values, lasting)
        except StoreUnavailable as error:
            del credential, values  # the session keeps the error, and whatever shows its frames must not show these
            forget_variables(error)
            failure = error
            unit.fail_with(session, lambda: failure)
            _log.warning("takeover_failed", "a session could not be taken over: %s", error)
            return False

    async def _bring(
        self,
        repository: AtomicOperations,
        session: Session,
        credential: bytes,
        values: Mapping[str, Any] | None,
        lasting: _Lasting,
    ) -> bool:
        unit = unit_of(session)
        self.watch(repository)
        store, length, deadline = repository.store, repository.settings.id_length, repository.deadline()
        await repository.startup.ready(deadline)
        session_id, mark = (self._ids.derive(purpose, credential, length) for purpose in (b"session", b"marker"))
        key, mark_key = map(repository.identity.key, (session_id, mark))
        marker, told = await store.load(mark_key, deadline=deadline), False
        record: SessionRecord | None = None
        if isinstance(marker, SessionRecord):
            if store.clock.now_ms() - marker.created_ms > repository.renewal.grace_ms:
                unit.start_anew(key)
                return False
        elif values is None:
            return False
        else:
            record = await self._create(repository, key, values, lasting, deadline)
            # Last, so that a failure before it leaves everything to the next request.
            lifetime_ms = (lasting.remembered + _SPARE) // _MILLISECOND
            told = await store.create(NewSession(mark_key, {}, 0, lifetime_ms), deadline=deadline) is not None
        found = record or await store.load(key, deadline=deadline)
        if not isinstance(found, SessionRecord):
            unit.start_anew(key)
        elif found.key != key:
            unit.stand_aside(key)
        else:
            unit.id, unit.presented = (
                session_id,
                PresentedCredentials(session_id, finding=ABSENT if told else UNTOLD),
            )
            _attach(repository, session, found)
            if told:  # by this response or by none, whether the application looks at the session or not
                session.mark_accessed()
            return told
        return False

    async def _create(
        self,
        repository: AtomicOperations,
        key: SessionKey,
        values: Mapping[str, Any],
        lasting: _Lasting,
        deadline: float,
    ) -> SessionRecord | None:
        """Make the session. That does not overwrite: a slower request finds what the faster one has made."""
        settings = repository.settings
        idle_ms = settings.interval_ms if lasting.idle is None else lasting.idle // _MILLISECOND
        content = _encoded(repository, values)
        new = NewSession(key, content, idle_ms, settings.lifetime_ms, principal=lasting.principal)
        record = await repository.store.create(new, deadline=deadline)
        if record is not None:
            repository.statistics.taken_over += 1
            _log.info("taken_over", "a session of another kind was taken over as %s", key.ref)
        return record


def _attach(repository: AtomicOperations, session: Session, record: SessionRecord) -> None:
    unit = unit_of(session)
    repository.statistics.loads += 1
    unit.attach(session, record)
    unit.served_from = FROM_STORE
    unit.loaded(session)


def _encoded(repository: AtomicOperations, values: Mapping[str, Any]) -> dict[str, bytes]:
    content: dict[str, bytes] = {}
    for name, value in values.items():
        try:
            check_name(name)
            raw = encode(value, name=name)
            repository.limits.check(StoredAttributes(content), {name: raw})
        except CodecError as error:
            _log.warning("left_out", "a session was taken over without an attribute: %s", error)
        else:
            content[name] = raw
    return content
