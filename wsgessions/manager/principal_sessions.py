"""The sessions of one principal: listed, and ended one by one or all at once (S-55)."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self

from ..codec import decode
from ..errors import AmbiguousRef, ConfigError, NonStopTimeout, StoreUnavailable
from ..record import SessionKey, SessionRecord
from ..record.clock import instant
from ..record.principal import Principal, named
from ..session import unit_of
from ..store.constants import LONGEST_LEASE
from ..store.contract import Indexing, find_capability
from .request_sessions import RequestSessions

if TYPE_CHECKING:
    from ..session import Session
    from ..store.contract import Store
    from ..store.listing import Names, SessionHead
    from .statistics import SessionStatistics

__all__ = ["LiveSession", "PrincipalSessions"]

_logger = logging.getLogger("wsgessions.audit")

_BATCH: Final = 64
"""So many sessions are read or ended at the same time."""
_LOOKS: Final = 100
"""So often is the index looked at, as long as sessions begin."""


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session as it was when it was listed. It knows no id, so that it can be shown."""

    ref: str
    """Names it to `SessionManager.end_session_of`; what `Session.ref` is to the session itself (S-80)."""
    principal: str | None
    """The principal; None, in lists of all sessions only, if there is none."""
    bound_at: datetime | None
    """When it was bound to its principal: the time of the login. None without one."""
    created_at: datetime
    last_accessed_at: datetime
    """As `Session.last_accessed_at`: a use shows after `touch_interval` at the latest."""
    expires_at: datetime
    """When it ends if it is not used any more."""
    _attributes: dict[str, bytes] = field(repr=False, compare=False)

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, such as the user agent that the application has remembered; ``default`` if there is none.

        In a list of all sessions, those attributes are there that the list was asked for.

        Raises:
            CodecError: it cannot be decoded.
        """
        raw = self._attributes.get(name)
        return default if raw is None else decode(raw, name=name)

    @classmethod
    def of(cls, stored: SessionRecord | SessionHead) -> Self:
        """What is shown of a session in the store."""
        idle_since_ms = stored.expires_ms - stored.interval_ms if stored.interval_ms else 0
        return cls(
            ref=stored.key.ref,
            principal=stored.principal,
            bound_at=None if stored.binding is None else instant(stored.binding.version // 1000),
            created_at=instant(stored.created_ms),
            last_accessed_at=instant(max(stored.created_ms, idle_since_ms)),
            expires_at=instant(stored.expires_ms),
            _attributes=stored.attributes,
        )


class PrincipalSessions(ABC):
    """The part of a `wsgessions.SessionManager` that is about principals."""

    statistics: SessionStatistics
    store: Store
    requests: RequestSessions

    async def sessions_of(self, principal: Principal, *, attributes: Names = ()) -> list[LiveSession]:
        """The live sessions of a principal, the last used first.

        Args:
            principal: as it was given to `Session.bind_user`.
            attributes: the names of those that `LiveSession.get` shall find. No others are read, however large.

        Raises:
            StoreUnavailable: the store did not answer.
            ConfigError: the store cannot find sessions by their principal.
            CodecError: this can be no principal.
        """
        name, index = named(principal), await self._index()
        found: dict[SessionKey, SessionHead] = {}

        async def read(keys: list[SessionKey]) -> None:
            heads = await index.heads_of(name, keys, names=attributes, deadline=self.requests.repository.deadline())
            found.update((head.key, head) for head in heads)

        await self._go_through(index, name, read)
        return sorted(map(LiveSession.of, found.values()), key=lambda live: live.last_accessed_at, reverse=True)

    async def end_sessions_of(self, principal: Principal, *, keep: Session | None = None) -> int:
        """End all sessions of a principal on all servers: log out everywhere, or on all other devices.

        Returns when no server can serve one of them any more. A login at the same time is either ended too, or has
        begun after this: of a session that moves to a new id meanwhile, the new one is ended. However many there are,
        and however large, and whichever release has written them: none of them is read. They end in batches, each with
        the time of a request (`nonstop_timeout`) of its own.

        Args:
            principal: as it was given to `Session.bind_user`.
            keep: a session to leave alone, also if another request renews its id meanwhile (S-07).

        Returns:
            How many were ended.

        Raises:
            StoreUnavailable: the store did not answer in time. The hint tells how many were ended; call it again.
            ConfigError: the store cannot find sessions by their principal.
            CodecError: this can be no principal.
        """
        name, index = named(principal), await self._index()
        ended: list[str] = []

        async def end(keys: list[SessionKey]) -> None:
            kept: set[SessionKey] = set() if keep is None else await self._where(keep)
            await self._end(name, [key for key in keys if key not in kept], ended)

        try:
            await self._go_through(index, name, end)
            await self._barrier()
        except StoreUnavailable as error:
            error.hint = f"{len(ended)} sessions were ended; call it again for the others"
            raise
        return len(ended)

    async def end_session_of(self, principal: Principal, ref: str) -> bool:
        """End one session of a principal, on all servers.

        Args:
            principal: as it was given to `Session.bind_user`. The sessions of others are out of reach.
            ref: of the session, see `LiveSession`.

        Returns:
            Whether there was such a session. One that was given a new id since it was listed has another ref.

        Raises:
            AmbiguousRef: it is the ref of several sessions, and none was ended.
            StoreUnavailable: the store did not answer in time.
            ConfigError: the store cannot find sessions by their principal.
            CodecError: this can be no principal.
        """
        name, index = named(principal), await self._index()
        found = [
            key for key in await index.keys_of(name, deadline=self.requests.repository.deadline()) if key.ref == ref
        ]
        if len(found) > 1:
            raise AmbiguousRef("several sessions have this ref", hint="end all sessions of the principal instead")
        ended = await self._end(name, found, [])
        await self._barrier()
        return ended

    async def _index(self) -> Indexing:
        index = find_capability(self.store, Indexing)
        if index is None:
            raise ConfigError(
                "this store cannot find sessions by their principal",
                setting="store_url",
                hint="sessions in Valkey, Redis or memory can be found",
            )
        await self.requests.startup.ready(self.requests.repository.deadline())
        return index

    async def _go_through(
        self, index: Indexing, principal: str, do: Callable[[list[SessionKey]], Awaitable[None]]
    ) -> None:
        """Do something for the keys of all sessions of a principal, a batch at a time; see `Indexing`."""
        seen: set[SessionKey] = set()
        for _ in range(_LOOKS):
            keys = await index.keys_of(principal, deadline=self.requests.repository.deadline())
            fresh = [key for key in keys if key not in seen]
            if not fresh:
                return
            for at in range(0, len(fresh), _BATCH):
                await do(fresh[at : at + _BATCH])
            seen.update(fresh)
        raise NonStopTimeout("sessions of this principal begin too fast to go through them all", hint="call it again")

    async def _where(self, session: Session) -> set[SessionKey]:
        """Where a session is: another request may have renewed its id after this one has read it."""
        unit = unit_of(session)
        record = unit.record
        if record is None:
            return set()
        now = await self.store.load(record.key, deadline=self.requests.repository.deadline())
        return {record.key, now.key} if isinstance(now, SessionRecord) else {record.key}

    async def _end(self, principal: str | None, keys: Collection[SessionKey], ended: list[str]) -> bool:
        """End these sessions, some hundreds at most, and put down which there were (S-104).

        Args:
            principal: the user, for the log.
            keys: the sessions.
            ended: takes the refs of those that there were, also if the store then does not answer.

        Returns:
            Whether there was any.
        """
        deadline, before = self.requests.repository.deadline(), len(ended)

        async def end(key: SessionKey) -> None:
            if await self.store.delete(key, deadline=deadline):
                ended.append(key.ref)

        try:
            for failed in await asyncio.gather(*map(end, keys), return_exceptions=True):
                if failed is not None:
                    raise failed
        finally:
            refs = ended[before:]
            self.statistics.invalidated += len(refs)
            if refs:
                _logger.info("ended sessions of %r: %s", principal, ", ".join(refs), extra={"event": "sessions_ended"})
        return bool(refs)

    async def _barrier(self) -> None:
        """Wait until no node can serve any more what is over, be it by an earlier call that failed (C-15).

        What does not know yet which nodes there are has to wait for the longest lease that one could have.
        """
        await self.requests.repository.barrier(self.requests.repository.deadline() + LONGEST_LEASE)
