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
from typing import TYPE_CHECKING, Any, Final

from .codec import check_name, encode
from .cookie import CookieFinding, Presented
from .errors import CodecError, StoreUnavailable
from .log_throttle import LogThrottle
from .record import NewSession

if TYPE_CHECKING:
    from .manager import SessionManager
    from .session import Session

__all__ = ["Takeover"]

_SPARE: Final = timedelta(hours=1)
"""How far the clocks of servers and store may disagree about the end of a credential."""

_log = LogThrottle(logging.getLogger("wsgessions.takeover"))


class Takeover:
    """Takes over sessions of one other kind.

    Args:
        manager: whose sessions they become.
        secret: what the others were signed with, or another secret that all servers share; ids are made by it.
    """

    def __init__(self, manager: SessionManager, secret: bytes) -> None:
        self._manager = manager
        self._seed = hashlib.sha512(secret).digest()

    async def bring(
        self, session: Session, credential: bytes, values: Mapping[str, Any], *, remembered: timedelta
    ) -> bool:
        """Put the content of another session into this request's.

        Where the store is in trouble nothing is lost: the session then raises that when it is touched (F-00a).

        Args:
            session: of a request that presented none, or one that has ended.
            credential: what the client presented instead. That it is genuine must have been found out before.
            values: the content of that session. What cannot be stored of it is left out, and logged by name.
            remembered: for how long others may still take the credential for valid.

        Returns:
            Whether there is a session now: not if it was ended after it had been taken over.
        """
        try:
            return await self._bring(session, credential, values, remembered)
        except StoreUnavailable as error:
            failure = error
            session._shut(lambda: failure)
            _log.warning("takeover_failed", "a session could not be taken over: %s", error)
            return False

    async def _bring(
        self, session: Session, credential: bytes, values: Mapping[str, Any], remembered: timedelta
    ) -> bool:
        manager = self._manager
        store, settings, deadline = manager.store, manager.settings, manager.owner.deadline()
        await manager.start(deadline=deadline)
        session_id, marker = (self._id_of(purpose, credential) for purpose in (b"session", b"marker"))
        key, mark = map(manager.owner._identity.key, (session_id, marker))
        if await store.load(key, deadline=deadline) is None:
            if await store.load(mark, deadline=deadline) is not None:
                return False
            content = self._encoded(values)
            # Neither overwrites: who is slower finds what the faster one has made.
            await store.create(NewSession(key, content, settings.interval_ms, settings.lifetime_ms), deadline=deadline)
            lifetime_ms = (remembered + _SPARE) // timedelta(milliseconds=1)
            await store.create(NewSession(mark, {}, 0, lifetime_ms), deadline=deadline)
            _log.info("taken_over", "a session of another kind was taken over as %s", key.ref)
        session._id, session._presented = session_id, Presented(session_id, finding=CookieFinding.PRESENT)
        await manager.load(session, deadline=deadline)
        return session._record is not None

    def _id_of(self, purpose: bytes, credential: bytes) -> str:
        """An id that only who knows the secret can make, of the length that is set; as random as the digest."""
        digest = hashlib.shake_256(self._seed + purpose + b"\0" + credential).digest(96)
        return base64.urlsafe_b64encode(digest).decode("ascii")[: self._manager.settings.id_length]

    def _encoded(self, values: Mapping[str, Any]) -> dict[str, bytes]:
        content: dict[str, bytes] = {}
        for name, value in values.items():
            try:
                check_name(name)
                raw = encode(value, name=name)
                self._manager.owner._limits.check({**content, name: raw}, {name})
            except CodecError as error:
                _log.warning("left_out", "a session was taken over without an attribute: %s", error)
            else:
                content[name] = raw
        return content
