"""All sessions of an application: listed page by page, and single ones read or ended (E-8)."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import AmbiguousRef, ConfigError
from ..store.capabilities import find_capability
from ..store.listing import LARGEST_PAGE, Listing, Names, SessionHead
from .principal_sessions import LiveSession, PrincipalSessions

__all__ = ["AllSessions", "LivePage"]


@dataclass(frozen=True, slots=True)
class LivePage:
    """Some of the live sessions."""

    sessions: list[LiveSession]
    """In the store's order. There may be fewer than requested, even none, and more on the next page."""
    next_cursor: str | None
    """The cursor of the next page; None on the last one. It may be part of a URL, and never expires."""


class AllSessions(PrincipalSessions):
    """The part of a `wsgessions.SessionManager` that is about all sessions. For the operators of the application."""

    async def live_sessions(self, cursor: str | None = None, *, limit: int = 100, attributes: Names = ()) -> LivePage:
        """The live sessions of the application on all servers, page by page.

        A session that does not change is listed once, whatever happens to others; one that is accessed, changed or
        renewed between two pages may be listed again, or missed. Expired and ended sessions are not listed, and a
        session with a new id is listed under that one only.

        Args:
            cursor: `LivePage.next_cursor` of the previous page; by default the list begins.
            limit: the largest number of sessions, 1 to 500; more counts as 500, and less as 1 (S-102).
            attributes: the names of those that `LiveSession.get` shall return. No others are read.

        Raises:
            InvalidCursor: the cursor was not made by a list of this application.
            StoreUnavailable: the store did not answer.
            ConfigError: the store cannot list sessions.
        """
        listing, deadline = self._listing(), self.requests.repository.deadline()
        await self.requests.startup.ready(deadline)
        size = max(1, min(limit, LARGEST_PAGE))
        page = await listing.page(cursor, size, names=attributes, deadline=deadline)
        return LivePage([LiveSession.of(head) for head in page.heads], page.cursor)

    async def live_session(self, ref: str, *, attributes: Names = ()) -> LiveSession | None:
        """The live session with this ref, of any user; None without one.

        Args:
            ref: `LiveSession.ref`. A session that was given a new id has another one.
            attributes: as of `live_sessions`.

        Raises:
            AmbiguousRef: several sessions have this ref.
            StoreUnavailable: the store did not answer.
            ConfigError: the store cannot list sessions.
        """
        head = await self._with_ref(ref, attributes, self.requests.repository.deadline())
        return None if head is None else LiveSession.of(head)

    async def end_session(self, ref: str) -> bool:
        """End one session on all servers, of any user. Users end their own by `end_session_of`.

        Returns when no server can serve it any more.

        Args:
            ref: as of `live_session`.

        Returns:
            Whether there was such a session.

        Raises:
            AmbiguousRef: several sessions have this ref, and none was ended.
            StoreUnavailable: the store did not answer in time.
            ConfigError: the store cannot list sessions.
        """
        deadline = self.requests.repository.deadline()
        head = await self._with_ref(ref, (), deadline)
        ended = head is not None and await self._end(head.principal, [head.key], [])
        await self._barrier()
        return ended

    async def _with_ref(self, ref: str, names: Names, deadline: float) -> SessionHead | None:
        listing = self._listing()
        await self.requests.startup.ready(deadline)
        found = await listing.with_ref(ref, names=names, deadline=deadline)
        if len(found) > 1:
            raise AmbiguousRef("several sessions have this ref", hint="end the sessions of their principal instead")
        return found[0] if found else None

    def _listing(self) -> Listing:
        listing = find_capability(self.store, Listing)
        if listing is None:
            raise ConfigError(
                "this store cannot list sessions",
                setting="store_url",
                hint="sessions in Valkey, Redis or memory can be listed",
            )
        return listing
