"""Moves what a client has in a session of another kind into one of ours: once, whoever asks, and never again.

The id is made of the credential by a keyed digest, so that requests that come at the same time, on any servers, meet in
one session. A marker, which outlives the credential, says that it has been used: who presents it after a logout gets
nothing (S-62, S-75).
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from ..codec import check_name, encode
from ..errors import CodecError, StoreUnavailable
from ..log_throttle import LogThrottle
from ..manager.attribute_operations import OperatingOwner
from ..masked import forget_variables
from ..presented import OVERSIZED, CookieFinding, Presented
from ..record import NewSession, StoredAttributes
from ..session import Session

__all__ = ["Takeover"]

_SPARE: Final = timedelta(hours=1)
"""How far the clocks of servers and store may disagree about the end of a credential."""

_MILLISECOND: Final = timedelta(milliseconds=1)

_log = LogThrottle(logging.getLogger("wsgessions.takeover"))


class _Lasting(NamedTuple):
    """What is told of a session beside its content."""

    remembered: timedelta
    idle: timedelta | None
    principal: str | None


class Takeover:
    """Takes over sessions of one other kind.

    Args:
        secret: what the others were signed with, or another secret that all servers share; ids are made by it.
    """

    def __init__(self, secret: bytes) -> None:
        self._seed = hashlib.sha512(secret).digest()

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
            principal: whose session it is, as for `Session.bind_user`; None for nobody's (S-55).

        Returns:
            Whether this is the session that was made of it: not if it was ended after it had been taken over.
        """
        owner = session._owner
        if session._id is not None or not isinstance(owner, OperatingOwner):
            return False
        if session._presented.finding is OVERSIZED:
            return False  # it may have one of ours (S-31)
        try:
            lasting = _Lasting(remembered, idle, principal)
            return await self._bring(owner, session, credential, values, lasting)
        except StoreUnavailable as error:
            del credential, values  # the session keeps the error, and whatever shows its frames must not show these
            forget_variables(error)
            failure = error
            session._shut(lambda: failure)
            _log.warning("takeover_failed", "a session could not be taken over: %s", error)
            return False

    async def _bring(
        self,
        owner: OperatingOwner,
        session: Session,
        credential: bytes,
        values: Mapping[str, Any] | None,
        lasting: _Lasting,
    ) -> bool:
        store, settings, deadline = owner._store, owner._settings, owner.deadline()
        await owner._ready(deadline)
        session_id, marker = (
            self._id_of(purpose, credential, settings.id_length) for purpose in (b"session", b"marker")
        )
        key, mark = map(owner._identity.key, (session_id, marker))
        if await store.load(key, deadline=deadline) is None:
            if values is None or await store.load(mark, deadline=deadline) is not None:
                return False
            idle_ms = settings.interval_ms if lasting.idle is None else lasting.idle // _MILLISECOND
            content = _encoded(owner, values)
            new = NewSession(key, content, idle_ms, settings.lifetime_ms, principal=lasting.principal)
            # It does not overwrite: who is slower finds what the faster one has made.
            if await store.create(new, deadline=deadline) is not None:
                owner._statistics.taken_over += 1
                _log.info("taken_over", "a session of another kind was taken over as %s", key.ref)
        # By each who comes so far, for the one who has made the session may have failed here.
        lifetime_ms = (lasting.remembered + _SPARE) // _MILLISECOND
        await store.create(NewSession(mark, {}, 0, lifetime_ms), deadline=deadline)
        session._id, session._presented = session_id, Presented(session_id, finding=CookieFinding.PRESENT)
        await owner.load(session, deadline=deadline)
        return session._record is not None

    def _id_of(self, purpose: bytes, credential: bytes, length: int) -> str:
        """An id that only who knows the secret can make, of the length that is set; as random as the digest."""
        digest = hashlib.shake_256(self._seed + purpose + b"\0" + credential).digest(96)
        return base64.urlsafe_b64encode(digest).decode("ascii")[:length]


def _encoded(owner: OperatingOwner, values: Mapping[str, Any]) -> dict[str, bytes]:
    content: dict[str, bytes] = {}
    for name, value in values.items():
        try:
            check_name(name)
            raw = encode(value, name=name)
            owner._limits.check(StoredAttributes(content), {name: raw})
        except CodecError as error:
            _log.warning("left_out", "a session was taken over without an attribute: %s", error)
        else:
            content[name] = raw
    return content
