"""The sessions as a store of Litestar, for ``litestar sessions delete`` and ``litestar sessions clear``."""

from __future__ import annotations

from datetime import timedelta

from litestar.serialization import decode_json, encode_json
from litestar.stores.base import Store

from wsgessions import SessionManager
from wsgessions.errors import ConfigError, SessionGone
from wsgessions.store.capabilities import find_capability
from wsgessions.store.listing import LARGEST_PAGE, Listing

__all__ = ["SessionDocuments"]


class SessionDocuments(Store):
    """Each session of an application as one JSON document under its id.

    For administration. Requests use sessions themselves, and send only what has changed.

    Args:
        manager: the manager of the sessions.
    """

    # Ids are deleted from frames before any possible error, so that no frame of an error shows one (S-80).

    def __init__(self, manager: SessionManager) -> None:
        self._manager = manager

    async def get(self, key: str, renew_for: int | timedelta | None = None) -> bytes | None:
        """The session's attributes as JSON, in Litestar's encoding of other types. None if the id is unknown.

        Args:
            key: the session's id.
            renew_for: without effect: each access keeps a session alive for its own idle timeout.
        """
        opened = self._manager.open(key)
        del key
        async with opened as session:
            return None if session.is_new else encode_json(dict(session))

    async def set(self, key: str, value: str | bytes, expires_in: int | timedelta | None = None) -> None:
        """Replace the attributes of an existing session.

        Args:
            key: the session's id.
            value: a JSON object.
            expires_in: its idle timeout from now on, in seconds; None leaves it unchanged.

        Raises:
            SessionGone: the id was never issued, or the session has ended: an id from outside is never adopted (S-03).
        """
        opened = self._manager.open(key)
        del key
        async with opened as session:
            if session.is_new:
                raise SessionGone("there is no such session", hint="sessions are created by requests only")
            content = decode_json(value)
            for name in [name for name in session if name not in content]:
                del session[name]
            session.update(content)
            del value, content
            if expires_in is not None:
                session.max_inactive_interval = _duration(expires_in)

    async def delete(self, key: str) -> None:
        """End a session; an unknown id is no error."""
        opened = self._manager.open(key)
        del key
        async with opened as session:
            session.invalidate()

    async def delete_all(self) -> None:
        """End all sessions of the application, on all its servers; other applications of the store are not affected.

        Raises:
            ConfigError: the store cannot list its sessions.
            StoreUnavailable: the store did not answer.
        """
        listing = find_capability(self._manager.store, Listing)
        if listing is None:
            raise ConfigError("this store cannot list its sessions", setting="store_url", hint="end them one by one")
        await self._manager.start()
        store, deadline = self._manager.store, self._manager.requests.repository.deadline
        page = await listing.page(None, LARGEST_PAGE, deadline=deadline())
        while True:
            for head in page.heads:
                await store.delete(head.key, deadline=deadline())
            if page.cursor is None:
                return
            page = await listing.page(page.cursor, LARGEST_PAGE, deadline=deadline())

    async def exists(self, key: str) -> bool:
        """Whether there is a session of this id."""
        opened = self._manager.open(key)
        del key
        async with opened as session:
            return not session.is_new

    async def expires_in(self, key: str) -> int | None:
        """Seconds until the session ends without an access; None if the id is unknown."""
        opened = self._manager.open(key)
        del key
        async with opened as session:
            if session.expires_at is None:
                return None
            left_ms = round(session.expires_at.timestamp() * 1000) - self._manager.store.clock.now_ms()
            return max(0, left_ms // 1000)


def _duration(seconds: int | timedelta) -> timedelta:
    return seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
