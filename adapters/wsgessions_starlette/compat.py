"""A replacement of `starlette.middleware.sessions`: the same arguments, with the sessions in the shared store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Unpack

try:
    from starlette.datastructures import Secret
except ModuleNotFoundError as _missing:
    raise ImportError('wsgessions_starlette needs Starlette: pip install "wsgessions[starlette]"') from _missing

from pydantic import SecretStr

import wsgessions
from wsgessions import SessionManager, SessionSettings
from wsgessions.credentials.presented import CredentialChannel
from wsgessions.errors import ConfigError
from wsgessions.manager import StoreOrClient, with_store
from wsgessions.migration import SessionImporter, UserOf
from wsgessions.session import SessionStatus
from wsgessions.settings import SettingOverrides, shielded
from wsgessions.settings.cookie import MAX_COOKIE_AGE
from wsgessions.web import OPENS_RESPONSE, ASGIApp, Message, Receive, Scope, Send
from wsgessions.web.id_resolver import SessionIdResolver

from .compat_cookies import SpellingOfStarlette
from .compat_session import Session

if TYPE_CHECKING:
    from .signed_cookies import SignedCookies

__all__ = ["Session", "SessionMiddleware"]

_TWO_WEEKS: Final = 14 * 24 * 60 * 60
_SIGNED: Final = "wsgessions.signed_cookies"
"""The key in the scope under which the signed cookies of a request are passed to the code that has its session."""


class _Manager(SessionManager):
    session_class: ClassVar[type[wsgessions.Session]] = Session


class SessionMiddleware:
    """Takes the arguments of Starlette's `SessionMiddleware`, and keeps the sessions in the store.

    Args:
        app: the application.
        secret_key: the key that has signed the cookies. The new ones are not signed: they hold only an id.
        session_cookie: the cookie's name.
        max_age: seconds that the browser keeps the cookie after a change, at most 400 days; the session's idle timeout
            too, unless ``max_inactive_interval`` is set. None: until the browser is closed, and 14 days idle. 0 or
            less: no session outlives its request.
        path: the path of the cookie.
        same_site: the SameSite attribute of the cookie.
        https_only: whether the cookie is `Secure`. False is the setting ``cookie.insecure``, with its warning.
        domain: the domain of the cookie; a dot in front has no meaning and is removed.
        partitioned: whether each site that embeds the page has its own cookie.
        signed_cookies_until: the instant, with a time zone, until which sessions in signed cookies are migrated; None
            for no migration (S-75).
        user_of: the user of a session with the given content; None without a user. A migrated session is bound to that
            user, as by `Session.bind_user`, and a change of the user is a login; without the function the names of
            attributes indicate a login. The first login in a migrated session gives it another id (S-06).
        settings: the settings; by default those of the environment and the files.
        store: a store to use, or the connection of an existing client: see `wsgessions.from_redis`.
        overrides: single settings by name: ``store_url="valkey://localhost"``.

    Raises:
        ConfigError: a setting is wrong, or the arguments specify a cookie that browsers reject.
    """

    def __init__(  # noqa: PLR0917 - as many as Starlette's
        self,
        app: ASGIApp,
        /,  # else type checkers would see `overrides` give it a second time
        secret_key: str | Secret,
        session_cookie: str = "session",
        max_age: int | None = _TWO_WEEKS,
        path: str = "/",
        same_site: Literal["lax", "strict", "none"] = "lax",
        https_only: bool = False,
        domain: str | None = None,
        partitioned: bool = False,
        *,
        signed_cookies_until: datetime | None = None,
        user_of: UserOf | None = None,
        settings: SessionSettings | None = None,
        store: StoreOrClient | None = None,
        **overrides: Unpack[SettingOverrides],
    ) -> None:
        given, secret = shielded(SessionSettings, overrides), SecretStr(str(secret_key))
        del overrides, secret_key  # before any possible error, so that no frame shows a secret (S-79)
        given, ready_made = with_store(given, store)
        if "cookie" in given:
            raise ConfigError("Starlette's arguments set it", setting="cookie", hint="session_cookie, path, ...")
        self.app: ASGIApp = app
        self.session_cookie: str = session_cookie
        self.max_age: int | None = max_age
        self.path: str = path
        cookie = {
            "name": session_cookie,
            "path": path,
            "samesite": same_site,
            "insecure": not https_only,
            "domain": None if domain is None else domain.removeprefix("."),
            "partitioned": partitioned,
        }
        base = SessionSettings.load(settings, given) if given or settings is None else settings
        chosen = SessionSettings.load(base, _with_times(base, cookie, max_age))
        self.manager: SessionManager = _Manager(chosen, store=ready_made)
        self._until = _checked(signed_cookies_until)
        self._takeover = SessionImporter(secret.get_secret_value().encode(), user_of=user_of)
        self._signed = None if self._until is None else _reader(session_cookie, secret.get_secret_value(), max_age)
        if self._signed is not None:
            self._takeover.watch(self.manager.requests.repository)
        self._sessions = _around(self._run, self.manager)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request, WebSocket or lifespan of the application."""
        if self._signed is not None and "headers" in scope and self._seconds_left() > 0:
            found = self._signed.find(scope["headers"])
            if found is not None:
                # The reader of ids must not take a signed cookie of the same name for a malformed id.
                scope = {**scope, "headers": found.headers, _SIGNED: (found.candidates, scope["headers"])}

        await self._sessions(scope, receive, send)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = scope.get("session")
        if not isinstance(session, Session):
            await self.app(scope, receive, send)
            return
        was_signed = _SIGNED in scope
        if was_signed:
            candidates, scope["headers"] = scope.pop(_SIGNED)
            await self._take_over(session, candidates)
        if not self._keeps() and session.ref is not None:
            session.invalidate()

        async def settle_and_send(message: Message) -> None:
            if message["type"] in OPENS_RESPONSE:
                self._settle(session)
                if was_signed and session.accessed and session.status is SessionStatus.INVALIDATED:
                    gone = self._sessions.resolver.clear(CredentialChannel.COOKIE)
                    message = {**message, "headers": [*message.get("headers", ()), *gone]}
            await send(message)

        await self.app(scope, receive, settle_and_send)

    async def _take_over(self, session: Session, candidates: list[bytes]) -> None:
        for cookie in reversed(candidates):  # of several cookies with a name Starlette takes the last
            content = None if self._signed is None else self._signed.verified(cookie)
            if content is not None:
                left = self._seconds_left()
                remembered = timedelta(seconds=left if self.max_age is None else min(left, self.max_age))
                await self._takeover.bring(session, cookie, content, remembered=remembered)
                return

    def _settle(self, session: Session) -> None:
        """Do what Starlette's cookie would do now: extend the session's life, or end a session that is empty."""
        if not self._keeps():
            if session.accessed:
                session.invalidate()
        elif session.marked_modified and session.ref is not None:
            if not session:
                session.invalidate()
            elif self.max_age is not None:
                # Sent with the changes, or alone; each commit sends the cookie with a new Max-Age.
                session.max_inactive_interval = session.max_inactive_interval

    def _keeps(self) -> bool:
        return self.max_age is None or self.max_age > 0

    def _seconds_left(self) -> float:
        """The seconds until signed cookies are no longer read."""
        return 0 if self._until is None else (self._until - datetime.now(UTC)).total_seconds()


def _around(app: ASGIApp, manager: SessionManager) -> wsgessions.SessionMiddleware:
    sessions = wsgessions.SessionMiddleware(app, manager=manager)
    sessions.resolver = SessionIdResolver(manager.settings, spelling=SpellingOfStarlette)
    return sessions


def _with_times(given: SessionSettings, cookie: Mapping[str, Any], max_age: int | None) -> dict[str, Any]:
    """Idle and absolute timeout as close to Starlette's as possible, unless they are set (S-27, S-53)."""
    chosen: dict[str, Any] = {}
    absolute = given.absolute_timeout
    if given.assurance == "none" and given.origin("absolute_timeout") == "default":
        chosen["absolute_timeout"] = absolute = MAX_COOKIE_AGE
    lasting = max_age if max_age is not None and max_age > 0 else None
    kept = min(timedelta(seconds=lasting or _TWO_WEEKS), absolute)
    if given.assurance == "none" and given.origin("max_inactive_interval") == "default":
        chosen["max_inactive_interval"] = kept
    if lasting:
        cookie = {**cookie, "max_age": kept}
    return {**chosen, "cookie": {**cookie, "secure": not cookie["insecure"]}}


def _checked(until: datetime | None) -> datetime | None:
    if until is not None and until.tzinfo is None:
        raise ConfigError(
            "signed_cookies_until has no time zone",
            setting="signed_cookies_until",
            hint="datetime(2026, 1, 31, tzinfo=UTC)",
        )
    return until


def _reader(name: str, secret_key: str, max_age: int | None) -> SignedCookies | None:
    """The reader of the old cookies; None if no session outlives its request."""
    if max_age is not None and max_age <= 0:
        return None
    try:
        from .signed_cookies import SignedCookies
    except ImportError as error:
        raise ConfigError(str(error), setting="signed_cookies_until", hint="pip install itsdangerous") from error
    return SignedCookies(name, secret_key, max_age=max_age)
