"""The middleware that migrates sessions, inside the session middleware and around the application."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ..errors import ConfigError, NonStopTimeout, StoreUnavailable
from ..internal import real_time as time
from ..internal.log_throttle import LogThrottle
from ..manager.atomic import AtomicOperations
from ..session import Session, repository_of, unit_of
from ..web import OPENS_RESPONSE, AnyASGIApp, ASGIApp, Message, Receive, Scope, Send, octets
from ..web.cookies import MAX_COOKIE_BYTES
from .derived_ids import UserOf
from .importer import SessionImporter
from .old_cookie import deletion_of
from .source import LegacySessions

__all__ = ["TakeoverMiddleware"]

_MIN_SECRET_BYTES: Final = 32
_WITH_SESSIONS: Final = frozenset({"http", "websocket"})

_log = LogThrottle(logging.getLogger("wsgessions.takeover"))


class TakeoverMiddleware:
    """Migrates the sessions that another library has kept: each of them once, until a date (S-75).

    Stands inside the session middleware: a client that presents the library's cookie, and has no session of wsgessions,
    gets the content of its old session. The new session has its own id; the old id is never adopted (S-03).

    Args:
        app: the application.
        source: reads the old sessions.
        until: the end of the migration, with a time zone. Afterwards this middleware does nothing.
        secret: the secret from which the new ids are derived, at least 32 bytes; the same on every server. It may be
            the application's own.
        cookie: the name of the library's cookie.
        cookie_path: the path of the library's cookie.
        cookie_domain: the domain of the library's cookie, if it has one.
        keep: whether the old session and its cookie stay until the visitor logs out, so that the migration can be
            undone; otherwise both are removed when the session is migrated.
        user_of: returns the user of a session with the given content, for `Session.bind_user`; None without one. By
            default no session is bound. A change of the user is a login; without the function the names of attributes
            indicate a login. The first login in a migrated session gives it another id, whether the application does
            that or not (S-06).

    Raises:
        ConfigError: ``until`` has no time zone, ``secret`` is too short, or the cookie's name, path or domain is
            invalid.
    """

    def __init__(
        self,
        app: AnyASGIApp,
        *,
        source: LegacySessions,
        until: datetime,
        secret: str | bytes,
        cookie: str = "session",
        cookie_path: str = "/",
        cookie_domain: str | None = None,
        keep: bool = False,
        user_of: UserOf | None = None,
    ) -> None:
        key = secret.encode() if isinstance(secret, str) else secret
        too_short = len(key) < _MIN_SECRET_BYTES
        self._takeover = SessionImporter(key, user_of=user_of)
        del key, secret  # before any possible error, so that no frame shows it (S-79)
        if until.tzinfo is None:
            raise ConfigError("it has no time zone", setting="until", hint="datetime(2026, 1, 31, tzinfo=UTC)")
        if too_short:
            raise ConfigError(f"it is shorter than {_MIN_SECRET_BYTES} bytes", setting="secret")
        clearing = deletion_of(cookie, path=cookie_path, domain=cookie_domain)
        self.app: ASGIApp = app
        self._source = source
        self._until = until
        self._cookie = cookie
        self._name = cookie.encode("ascii")
        self._keep = keep
        self._clearing = (b"set-cookie", clearing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request, WebSocket or lifespan of the application."""
        left = self._until - datetime.now(UTC)
        if scope["type"] not in _WITH_SESSIONS or left <= timedelta():
            await self.app(scope, receive, send)
            return
        session, repository = self._found_in(scope)
        unit = unit_of(session)
        self._takeover.watch(repository)
        presented = presented_value(scope.get("headers", ()), self._name)
        if presented is None:
            await self.app(scope, receive, send)
            return
        deadline = repository.deadline()
        client_gets_id = unit.id is None and await self._take_over(session, presented, scope, left, deadline)

        async def settle_and_send(message: Message) -> None:
            if message["type"] in OPENS_RESPONSE and session.accessed:
                if unit.is_ended:
                    await self._remove(presented)
                if unit.is_ended or (client_gets_id and not self._keep):
                    message = {**message, "headers": [*(message.get("headers") or ()), self._clearing]}
            await send(message)

        await self.app(scope, receive, settle_and_send)

    def _found_in(self, scope: Scope) -> tuple[Session, AtomicOperations]:
        session = scope.get("session")
        repository = repository_of(session) if isinstance(session, Session) else None
        if not isinstance(session, Session) or not isinstance(repository, AtomicOperations):
            raise ConfigError(
                "there is no session of wsgessions here",
                setting="TakeoverMiddleware",
                hint="install the session middleware outside of it",
            )
        if repository.settings.cookie.name == self._cookie:
            raise ConfigError(
                "the old cookie must have another name than the new one",
                setting="cookie.name",
                hint="leave it at its default",
            )
        return session, repository

    async def _take_over(
        self, session: Session, presented: str, scope: Scope, left: timedelta, deadline: float
    ) -> bool:
        unit = unit_of(session)
        try:
            values = await self._read(presented, scope, deadline)
        except StoreUnavailable as error:
            failure = error
            unit.fail_with(session, lambda: failure)  # no error until an access to the session (R-30, F-00a)
            _log.warning("takeover_failed", "an old session could not be read: %s", failure)
            return False
        credential = f"{self._cookie}={presented}".encode()
        client_gets_id = await self._takeover.bring(session, credential, values, remembered=left)
        if client_gets_id and not self._keep:
            await self._remove(presented)
        return client_gets_id

    async def _read(self, presented: str, scope: Scope, deadline: float) -> Mapping[str, Any] | None:
        seconds = deadline - time.monotonic()
        try:
            async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                return await self._source.read(presented, scope)
        except TimeoutError as error:
            raise NonStopTimeout("the old sessions were not read in time") from error

    async def _remove(self, presented: str) -> None:
        """Remove the old session. It is marked as used already, so a failure does no harm."""
        try:
            await self._source.remove(presented)
        except StoreUnavailable as error:
            _log.warning("left_behind", "an old session could not be removed: %s", error)


def presented_value(headers: Iterable[Any], wanted: bytes) -> str | None:
    """The value of a cookie in the headers of a scope; None without one, and for several different ones (S-29)."""
    values: set[bytes] = set()
    for name, value in headers:
        if octets(name, "replace").lower() != b"cookie":
            continue
        header = octets(value, "replace")
        if len(header) > MAX_COOKIE_BYTES:
            return None
        for pair in header.split(b";"):
            key, equals, content = pair.partition(b"=")
            if equals and key.strip(b" \t") == wanted:
                values.add(content.strip(b' \t"'))
    return values.pop().decode("latin-1") if len(values) == 1 else None
