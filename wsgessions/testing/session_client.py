"""Clients of an application in the same process whose browser has a session already."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Final

import httpx2

from ..asgi import ASGIApp
from ..cookie import SessionCookies
from ..errors import ConfigError
from ..manager import SessionManager
from .app_life import AppLife, AppLives
from .loop_thread import LoopThread
from .session_access import EXTENSION, SessionAccess, find_manager

__all__ = ["SessionClient", "SessionClients"]

BASE_URL: Final = "https://testserver"
"""A browser keeps the session's cookie to itself over plain http: it is `Secure`."""


class SessionClients:
    """The fixture `session_client`.

    Args:
        access: to the stores.
        thread: where applications run for synchronous tests.
    """

    def __init__(self, access: SessionAccess, thread: LoopThread) -> None:
        self._access = access
        self._thread = thread
        self._lives = AppLives()

    def __call__(
        self,
        app: ASGIApp,
        attributes: Mapping[str, Any] | None = None,
        *,
        manager: SessionManager | None = None,
        base_url: str = BASE_URL,
        raise_app_exceptions: bool = True,
        **options: Any,
    ) -> SessionClient:
        """A client for ``with``, or for ``async with``, in which the application has had its start-up events.

        Args:
            app: the application, with sessions installed.
            attributes: what is in the session that the browser has; None, or nothing, for a browser without a session.
            manager: the application's, where it cannot be found.
            base_url: of the application. The scheme is https, unless the setting ``cookie.insecure`` is on.
            raise_app_exceptions: whether an error of the application comes out of the client; else it is a 500.
            options: for ``httpx2.Client`` or ``httpx2.AsyncClient``: ``cookies``, ``headers``, ``follow_redirects`` ...

        Raises:
            ConfigError: the application has no manager that can be found.
        """
        return SessionClient(
            app,
            find_manager(app) if manager is None else manager,
            attributes,
            (self._access, self._thread, self._lives),
            raise_app_exceptions=raise_app_exceptions,
            options={"base_url": base_url, **options},
        )


class SessionClient:
    """One browser. ``with`` gives an `httpx2.Client`, ``async with`` an `httpx2.AsyncClient`."""

    def __init__(
        self,
        app: ASGIApp,
        manager: SessionManager,
        attributes: Mapping[str, Any] | None,
        within: tuple[SessionAccess, LoopThread, AppLives],
        *,
        raise_app_exceptions: bool,
        options: dict[str, Any],
    ) -> None:
        self._app = app
        self._manager = manager
        self._attributes = attributes
        self._access, self._thread, self._lives = within
        self._raises = raise_app_exceptions
        self._options = options

    def __enter__(self) -> httpx2.Client:
        life = self._thread.run(self._begin())
        with ExitStack() as stack:
            stack.callback(lambda: self._thread.run(life.leave()))
            transport = _SyncTransport(_Transport(life, self._manager, raises=self._raises), self._thread)
            client = stack.enter_context(httpx2.Client(transport=transport, **self._options))
            self._sign_in(client)
            self._stack = stack.pop_all()
        return client

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    async def __aenter__(self) -> httpx2.AsyncClient:
        self._life = await self._begin()
        transport = _Transport(self._life, self._manager, raises=self._raises)
        self._client = httpx2.AsyncClient(transport=transport, **self._options)
        try:
            self._sign_in(self._client)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self._client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        try:
            await self._client.aclose()
        finally:
            await self._life.leave()

    async def _begin(self) -> AppLife:
        life = self._lives.of(self._app)
        await life.enter()
        return life

    def _sign_in(self, client: httpx2.Client | httpx2.AsyncClient) -> None:
        """Give the browser the cookie, by the very field that the application would send."""
        if not self._attributes:
            return
        session_id = self._access.create(self._manager, self._attributes)
        settings = self._manager.settings
        field = SessionCookies(settings.cookie, id_length=settings.id_length).set_id(session_id)
        request = httpx2.Request("GET", client.base_url.copy_with(path=settings.cookie.path))
        client.cookies.extract_cookies(httpx2.Response(200, headers=[(b"set-cookie", field)], request=request))
        client.cookies.set_cookie_header(request)
        if settings.cookie.name not in request.headers.get("cookie", ""):
            raise ConfigError(
                f"a browser at {client.base_url} would not send the session's cookie",
                setting="cookie",
                hint="let base_url fit the cookie's domain, path and Secure",
            )


class _Transport(httpx2.ASGITransport):
    """Says in each response whose session it belongs to."""

    def __init__(self, life: AppLife, manager: SessionManager, *, raises: bool) -> None:
        super().__init__(life, raise_app_exceptions=raises)
        self._manager = manager

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        response.extensions[EXTENSION] = self._manager
        return response


class _SyncTransport(httpx2.BaseTransport):
    """The same for synchronous callers."""

    def __init__(self, inner: _Transport, thread: LoopThread) -> None:
        self._inner = inner
        self._thread = thread

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()  # a stream of the caller's may be synchronous
        return self._thread.run(self._answer(request))

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        body = b"".join([part async for part in response.stream])
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=httpx2.ByteStream(body),
            extensions=response.extensions,
        )
