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
from ..store.capabilities import find_capability
from ..store.constants import LONGEST_LEASE
from ..store.listing import Indexing
from .request_sessions import RequestSessions

if TYPE_CHECKING:
    from ..session import Session
    from ..store.contract import Store
    from ..store.listing import Names, SessionHead
    from .statistics import SessionStatistics

__all__ = ["LiveSession", "PrincipalSessions"]

_logger = logging.getLogger("wsgessions.audit")

_BATCH: Final = 64
"""The number of sessions that are read or ended at the same time."""
_LOOKS: Final = 100
"""The number of times that the index is read, as long as new sessions begin."""


@dataclass(frozen=True, slots=True)
class LiveSession:
    """The state of a session when it was listed. It does not contain the id, so that it can be shown."""

    ref: str
    """The name of the session for `SessionManager.end_session_of`, equal to its `Session.ref` (S-80)."""
    principal: str | None
    """The principal; None without one, which occurs only in lists of all sessions."""
    bound_at: datetime | None
    """When it was bound to its principal: the time of the login. None without one."""
    created_at: datetime
    last_accessed_at: datetime
    """As `Session.last_accessed_at`: an access shows after `touch_interval` at the latest."""
    expires_at: datetime
    """When it ends without a further access."""
    _attributes: dict[str, bytes] = field(repr=False, compare=False)

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, such as the user agent that the application has stored; ``default`` if it is absent.

        In a list of all sessions, only the attributes are present that the list was requested with.

        Raises:
            CodecError: it cannot be decoded.
        """
        raw = self._attributes.get(name)
        return default if raw is None else decode(raw, name=name)

    @classmethod
    def of(cls, stored: SessionRecord | SessionHead) -> Self:
        """The description of a session in the store."""
        idle_since_ms = stored.expires_ms - stored.interval_ms if stored.interval_ms else 0
        return cls(
            ref=stored.key.ref,
            principal=stored.principal,
            bound_at=None if stored.binding is None else instant(stored.binding.version // 1000),
            created_at=instant(stored.created_ms),
            last_accessed_at=instant(max(stored.created_ms, idle_since_ms)),
            expires_at=instant(stored.expires_ms),
            _attributes=stored.attributes.raw if isinstance(stored, SessionRecord) else stored.attributes,
        )


class PrincipalSessions(ABC):
    """The part of a `wsgessions.SessionManager` that concerns principals."""

    statistics: SessionStatistics
    store: Store
    requests: RequestSessions

    async def sessions_of(self, principal: Principal, *, attributes: Names = ()) -> list[LiveSession]:
        """The live sessions of a principal, the most recently used first.

        Args:
            principal: as it was given to `Session.bind_user`.
            attributes: the names of those that `LiveSession.get` shall return. No others are read, however large.

        Raises:
            StoreUnavailable: the store did not answer.
            ConfigError: the store cannot find sessions by their principal.
            CodecError: the principal is of a wrong type or too long.
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
        begun after this call: if a session gets a new id meanwhile, it is ended under that one. No session is read, so
        their number, their size and the release that wrote them do not matter. They end in batches, each with its own
        time limit of a request (`nonstop_timeout`).

        Args:
            principal: as it was given to `Session.bind_user`.
            keep: a session to keep, also if another request renews its id meanwhile (S-07).

        Returns:
            The number of ended sessions.

        Raises:
            StoreUnavailable: the store did not answer in time. The hint has the number of ended sessions; call it
                again.
            ConfigError: the store cannot find sessions by their principal.
            CodecError: the principal is of a wrong type or too long.
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
            principal: as it was given to `Session.bind_user`. Sessions of other principals are out of reach.
            ref: of the session, see `LiveSession`.

        Returns:
            Whether there was such a session. A session with a new id since it was listed has another ref.

        Raises:
            AmbiguousRef: several sessions have this ref, and none was ended.
            StoreUnavailable: the store did not answer in time.
            ConfigError: the store cannot find sessions by their principal.
            CodecError: the principal is of a wrong type or too long.
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
        """Call ``do`` with the keys of all sessions of a principal, a batch at a time; see `Indexing`."""
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
        """The keys of a session: another request may have renewed its id after this one has read it."""
        unit = unit_of(session)
        record = unit.record
        if record is None:
            return set()
        now = await self.store.load(record.key, deadline=self.requests.repository.deadline())
        return {record.key, now.key} if isinstance(now, SessionRecord) else {record.key}

    async def _end(self, principal: str | None, keys: Collection[SessionKey], ended: list[str]) -> bool:
        """End these sessions, some hundreds at most, and log those that existed (S-104).

        Args:
            principal: the user, for the log.
            keys: the sessions.
            ended: receives the refs of those that existed, also if the store then fails.

        Returns:
            Whether any existed.
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
        """Wait until no node can serve an ended session any more, whether ended now or by an earlier failed call
        (C-15).

        Without a list of the nodes it waits for the longest possible lease.
        """
        await self.requests.repository.barrier(self.requests.repository.deadline() + LONGEST_LEASE)
