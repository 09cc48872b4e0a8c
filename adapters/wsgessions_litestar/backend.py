"""The backend: the interface to sessions for `SessionAuth`, the test client and the command line of Litestar."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.middleware.session.server_side import ServerSideSessionBackend
from litestar.stores.base import Store
from litestar.types import Empty, Message

from wsgessions import Session
from wsgessions.credentials.identity import is_well_formed, new_session_id
from wsgessions.credentials.presented import PresentedCredentials
from wsgessions.session import unit_of
from wsgessions.web.id_resolver import SessionIdResolver
from wsgessions.web.session_request import SessionRequest

from .plain_data import accept_types_of_litestar
from .replacement import refill
from .sessions_config import SessionsConfig

__all__ = ["WsgessionsSessionBackend"]


class WsgessionsSessionBackend(ServerSideSessionBackend):
    """Reads and writes sessions for code that has a connection but runs no request, such as Litestar's test client.

    Requests do not use it: see `wsgessions_litestar.middleware`.

    Args:
        config: the configuration of the sessions.
    """

    config: SessionsConfig

    def __init__(self, config: SessionsConfig) -> None:
        super().__init__(config)

    def get_session_id(self, connection: ASGIConnection[Any, Any, Any, Any]) -> str:
        """The id that the connection presents, else the one it was given, else a new one. No store is asked."""
        presented = self._choices(connection)[0][1].id
        return (
            presented or connection.get_session_id() or new_session_id(self.config.session_manager.settings.id_length)
        )

    async def load_from_connection(self, connection: ASGIConnection[Any, Any, Any, Any]) -> dict[str, Any]:
        """The attributes of the session that the connection presents; none if it is unknown.

        Raises:
            StoreUnavailable: the store did not answer.
        """
        for _, presented in self._choices(connection):
            async with self.config.session_manager.open(presented.id) as session:
                if not session.is_new:
                    return dict(session)
        return {}

    async def store_in_message(
        self, scope_session: Any, message: Message, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> None:
        """Give the connection's session this content, and the message the cookies of the session.

        Args:
            scope_session: the content; `Empty` to end the session.
            message: the start of a response.
            connection: the connection.

        Raises:
            CodecError: a value cannot be stored.
            StoreUnavailable: the store did not answer.
        """
        (resolver, presented), *others = self._choices(connection)
        request = SessionRequest.begin(self.config.session_manager.requests, resolver, presented, method="POST")
        try:
            if not request.lookup():
                await request.load()
            await self._fill(request.session, scope_session, connection)
            headers = MutableScopeHeaders.from_message(message)
            given = request.add_headers([])
            for other, nothing in others:
                given += other.fields_for(request.unit, nothing, self.config.session_manager.requests, scope={})[0]
            for name, value in given:
                headers.add(name.decode(), value.decode())
        finally:
            request.unit.finish()

    def _choices(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> list[tuple[SessionIdResolver, PresentedCredentials]]:
        """The channels of a connection with its credentials. The test client's has both cookies: its scheme is no
        client's, and the client sends the cookie that fits.
        """
        resolver, headers = self.config.core.resolver, _headers(connection)
        scope: Any = connection.scope
        if scope["headers"]:
            return [resolver.choose(headers, scope.get("scheme"))]
        choices = [(each, each.read(headers)) for each in (resolver, resolver.plain) if each is not None]
        return sorted(choices, key=lambda choice: choice[1].id is None)

    async def _fill(self, session: Session, content: Any, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        if content is Empty or content is None:
            await session.invalidate()
            return
        self._keep_what_was_told(session, connection)
        accept_types_of_litestar(session, connection.scope)
        refill(session, content, connection.scope)
        await session.commit()

    def _keep_what_was_told(self, session: Session, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        unit = unit_of(session)
        given_id = connection.get_session_id()
        if given_id is not None and is_well_formed(given_id, self.config.session_manager.settings.id_length):
            unit.reserved_id = given_id

    async def get(self, session_id: str, store: Store) -> bytes | None:
        """The session's attributes as JSON; see `SessionDocuments.get`."""
        return await store.get(session_id)

    async def set(self, session_id: str, data: bytes, store: Store) -> None:
        """Replace the attributes of an existing session; see `SessionDocuments.set`."""
        await store.set(session_id, data)


def _headers(connection: ASGIConnection[Any, Any, Any, Any]) -> list[tuple[bytes, bytes]]:
    """The connection's headers. The test client's connection has none, but parsed cookies."""
    headers = [(name, value) for name, value in connection.scope["headers"] if name.lower() == b"cookie"]
    if not headers and connection.cookies:
        headers = [(b"cookie", "; ".join(f"{name}={value}" for name, value in connection.cookies.items()).encode())]
    return headers
