"""Copies the content of another library's session into a new one: once, whichever requests present its credential.

The id is derived from the credential by a keyed digest, so that simultaneous requests, on any servers, get the same
session. A marker, which outlives the credential, stores the time of the first use. One request creates it, and its
response gives the client the id. For the grace of S-07 the other requests find the session too, without receiving its
id; afterwards, or when the session has another id, the credential is unknown. So a planted or copied credential shows
nothing of the visitor's later activity (S-62, S-75).
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
from ..record import NO_ATTRIBUTES, NewSession, SessionKey, SessionRecord
from ..session import Session, repository_of, unit_of
from ..session.values import FROM_STORE
from .derived_ids import DerivedIds, UserOf

__all__ = ["SessionImporter"]

_SPARE: Final = timedelta(hours=1)
"""The possible difference of the servers' and the store's clocks about the end of a credential."""

_MILLISECOND: Final = timedelta(milliseconds=1)

_log = LogThrottle(logging.getLogger("wsgessions.takeover"))


class _Lasting(NamedTuple):
    """The properties of a session beside its content."""

    remembered: timedelta
    idle: timedelta | None
    principal: str | None


class SessionImporter:
    """Migrates the sessions of one other library.

    Args:
        secret: the secret that signed the others, or another one that all servers share; ids are derived with it.
        user_of: returns the user of a session with some content, by which a login is detected too; None to detect it by
            the names of attributes (`wsgessions.migration.derived_ids`).
    """

    def __init__(self, secret: bytes, *, user_of: UserOf | None = None) -> None:
        self._ids = DerivedIds(hashlib.sha512(secret).digest(), user_of)

    def watch(self, repository: AtomicOperations) -> None:
        """Make a login give a migrated session another id, in whichever request the login occurs.

        Must be called before the application accesses the session; costs nothing from the second time on.
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
        """Copy the content of another library's session into this request's session.

        If the store fails nothing is lost: the next access to the session raises the error (F-00a).

        Args:
            session: the session of a request. If it has an id, known or still to be loaded, it is left unchanged.
            credential: the credential that the client presented instead. The caller must have verified it.
            values: the content of that session; None if it does not exist any more, maybe because another request has
                migrated it. Values that cannot be stored are left out, and logged by name.
            remembered: the remaining time for which the credential may be accepted as valid elsewhere.
            idle: the idle timeout of the new session; None for that of the settings.
            principal: the user of the session, as for `Session.bind_user`; None for the result of ``user_of`` (S-55).

        Returns:
            Whether the response gives the client the id of its new session, so that the presented credential is not
            needed any more.
        """
        unit = unit_of(session)
        repository = repository_of(session)
        if unit.id is not None or not isinstance(repository, AtomicOperations):
            return False
        if unit.presented.finding is OVERSIZED:
            return False  # it may have a session of wsgessions (S-31)
        try:
            if principal is None and values and self._ids.user_of is not None:
                principal = self._ids.user_of(values)
            lasting = _Lasting(remembered, idle, principal)
            return await self._bring(repository, session, credential, values, lasting)
        except StoreUnavailable as error:
            del credential, values  # the session keeps the error, whose frames must not show these
            forget_variables(error)
            failure = error
            unit.fail_with(session, lambda: failure)
            _log.warning("takeover_failed", "a session could not be migrated: %s", error)
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
        marker, client_gets_id = await store.load(mark_key, deadline=deadline), False
        record: SessionRecord | None = None
        if isinstance(marker, SessionRecord):
            if store.clock.now_ms() - marker.created_ms > repository.renewal.grace_ms:
                unit.start_anew(key)
                return False
        elif values is None:
            return False
        else:
            record = await self._create(repository, key, values, lasting, deadline)
            # Last, so that after an earlier failure the next request does all the work.
            lifetime_ms = (lasting.remembered + _SPARE) // _MILLISECOND
            client_gets_id = await store.create(NewSession(mark_key, {}, 0, lifetime_ms), deadline=deadline) is not None
        found = record or await store.load(key, deadline=deadline)
        if not isinstance(found, SessionRecord):
            unit.start_anew(key)
        elif found.key != key:
            unit.stand_aside(key)
        else:
            unit.id, unit.presented = (
                session_id,
                PresentedCredentials(session_id, finding=ABSENT if client_gets_id else UNTOLD),
            )
            _attach(repository, session, found)
            if client_gets_id:  # only this response gives the id, whether the application accesses the session or not
                session.mark_accessed()
            return client_gets_id
        return False

    async def _create(
        self,
        repository: AtomicOperations,
        key: SessionKey,
        values: Mapping[str, Any],
        lasting: _Lasting,
        deadline: float,
    ) -> SessionRecord | None:
        """Create the session. That does not overwrite: a slower request finds what the faster one has created."""
        settings = repository.settings
        idle_ms = settings.interval_ms if lasting.idle is None else lasting.idle // _MILLISECOND
        content = _encoded(repository, values)
        new = NewSession(key, content, idle_ms, settings.lifetime_ms, principal=lasting.principal)
        record = await repository.store.create(new, deadline=deadline)
        if record is not None:
            repository.statistics.taken_over += 1
            _log.info("taken_over", "a session of another library was migrated as %s", key.ref)
        return record


def _attach(repository: AtomicOperations, session: Session, record: SessionRecord) -> None:
    unit = unit_of(session)
    repository.statistics.loads += 1
    unit.attach(session, record)
    unit.served_from = FROM_STORE
    unit.loaded(session)


def _encoded(repository: AtomicOperations, values: Mapping[str, Any]) -> dict[str, bytes]:
    content = NO_ATTRIBUTES
    for name, value in values.items():
        try:
            check_name(name)
            raw = encode(value, name=name, to_plain=repository.to_plain)
            larger = content.altered({name: raw})
            repository.limits.check(content, larger, {name: raw})
        except CodecError as error:
            _log.warning("left_out", "a session was migrated without an attribute: %s", error)
        else:
            content = larger
    return content.raw
