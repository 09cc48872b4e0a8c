"""Migrates the sessions of the engine that a Django project had before: once each, until a date (S-75)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, cast

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

from wsgessions import Session, SessionManager
from wsgessions.errors import ConfigError, StoreUnavailable
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.internal.masked import masked
from wsgessions.migration import SessionImporter
from wsgessions.migration.old_cookie import check_old_cookie
from wsgessions.session import unit_of

from .engine import SessionStore
from .expiry import idle_time
from .login import USER
from .migration_source import OldEngine
from .reports import mask_old_cookie, old_cookie_name
from .waiting import wait

__all__ = ["TakeoverMiddleware"]

_SETTING: Final = "WSGESSIONS_TAKEOVER"
_KNOWN: Final = frozenset({"engine", "until", "cookie", "secret", "keep"})

_log = LogThrottle(logging.getLogger("wsgessions.takeover"))


@masked
class _Visitor(NamedTuple):
    """A request that presents the old cookie."""

    manager: SessionManager
    session: Session
    presented: str
    left: timedelta
    """The time until the end of the migration."""


class TakeoverMiddleware(MiddlewareMixin):
    """Gives a client that presents the old cookie, and has no session of wsgessions, the content of its old session.

    Stands in ``MIDDLEWARE`` after ``wsgessions_django.SessionMiddleware`` and before each use of the session. A visitor
    that was logged in stays logged in, and the next login gives the session another id (S-06). The setting
    ``WSGESSIONS_TAKEOVER`` is a dict:

    * ``engine``: the former ``SESSION_ENGINE``;
    * ``until``: the end of the migration, a datetime with a time zone. Afterwards the middleware does nothing;
    * ``cookie``: the old cookie's name, by default ``"sessionid"``;
    * ``keep``: whether the old session and its cookie stay until a logout, so that the migration can be undone; by
      default they are removed;
    * ``secret``: the secret from which the new ids are made; by default ``SECRET_KEY``. It must not change before the
      end.

    Raises:
        ConfigError: the setting is wrong.
    """

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        plan = _plan()
        self._until: datetime = plan["until"]
        self._cookie: str = old_cookie_name() or ""
        check_old_cookie(self._cookie)
        mask_old_cookie()
        self._keep = bool(plan.get("keep", False))
        self._old = OldEngine(plan["engine"], cookie=self._cookie)
        self._takeover = SessionImporter(str(plan.get("secret") or django_settings.SECRET_KEY).encode())

    def __call__(self, request: HttpRequest) -> Any:
        """Run one request."""
        if self.async_mode:
            return self.__acall__(request)
        visitor = self._visitor_of(request)
        client_gets_id = visitor is not None and self._take_over(visitor)
        response = cast("HttpResponseBase", self.get_response(request))
        if visitor is None:
            return response
        if self._has_left(visitor):
            self._old.remove(visitor.presented)
        return self._settle(visitor, response, client_gets_id=client_gets_id)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Run one request in an async stack. The name is Django's; Sentry calls it."""
        visitor = self._visitor_of(request)
        client_gets_id = visitor is not None and await self._atake_over(visitor)
        response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        if visitor is None:
            return response
        if self._has_left(visitor):
            await self._old.aremove(visitor.presented)
        return self._settle(visitor, response, client_gets_id=client_gets_id)

    def _visitor_of(self, request: HttpRequest) -> _Visitor | None:
        left = self._until - datetime.now(UTC)
        if left <= timedelta():
            return None
        store: object = getattr(request, "session", None)
        if not isinstance(store, SessionStore) or not store.is_in_request:
            raise ConfigError(
                "there is no session of wsgessions", setting=_SETTING, hint="put its middleware before this one"
            )
        if store.manager.settings.cookie.name == self._cookie:
            raise ConfigError(
                "the old cookie must have another name than the new one",
                setting="SESSION_COOKIE_NAME",
                hint="leave it out of the settings, or give it a new value",
            )
        self._takeover.watch(store.manager.requests.repository)
        presented = request.COOKIES.get(self._cookie)
        return _Visitor(store.manager, store.core, presented, left) if presented else None

    def _take_over(self, visitor: _Visitor) -> bool:
        manager, session, presented, _ = visitor
        unit = unit_of(session)
        if unit.id is not None:
            return False
        try:
            values = self._old.read(presented)
            client_gets_id = wait(manager, lambda: self._bring(visitor, values))
        except StoreUnavailable as error:
            return _refuse(session, error)
        if client_gets_id and not self._keep:
            self._old.remove(presented)
        return client_gets_id

    async def _atake_over(self, visitor: _Visitor) -> bool:
        _, session, presented, _ = visitor
        unit = unit_of(session)
        if unit.id is not None:
            return False
        try:
            values = await self._old.aread(presented)
        except StoreUnavailable as error:
            return _refuse(session, error)
        client_gets_id = await self._bring(visitor, values)
        if client_gets_id and not self._keep:
            await self._old.aremove(presented)
        return client_gets_id

    async def _bring(self, visitor: _Visitor, values: Mapping[str, Any] | None) -> bool:
        manager, session, presented, left = visitor
        credential = f"{self._cookie}={presented}".encode()
        idle = None if values is None else idle_time(manager, values)
        user = None if values is None else values.get(USER)
        principal = None if user is None else str(user)
        return await self._takeover.bring(session, credential, values, remembered=left, idle=idle, principal=principal)

    def _has_left(self, visitor: _Visitor) -> bool:
        return visitor.session.accessed and unit_of(visitor.session).is_ended

    def _settle(self, visitor: _Visitor, response: HttpResponseBase, *, client_gets_id: bool) -> HttpResponseBase:
        if self._has_left(visitor) or (client_gets_id and not self._keep and visitor.session.accessed):
            response.delete_cookie(
                self._cookie,
                path=django_settings.SESSION_COOKIE_PATH,
                domain=django_settings.SESSION_COOKIE_DOMAIN,
                samesite=django_settings.SESSION_COOKIE_SAMESITE,
            )
        return response


def _refuse(session: Session, error: StoreUnavailable) -> bool:
    """Make each access raise the error: an unreadable old session must not look like a new one (F-00a)."""
    unit = unit_of(session)
    unit.fail_with(session, lambda: error)
    _log.warning("takeover_failed", "an old session could not be read: %s", error)
    return False


def _plan() -> Mapping[str, Any]:
    given = getattr(django_settings, _SETTING, None)
    plan = cast("Mapping[str, Any]", given if isinstance(given, Mapping) else {})
    if not {"engine", "until"} <= set(plan):
        raise ConfigError("engine or until is missing", setting=_SETTING, hint='{"engine": "...", "until": ...}')
    unknown = sorted(set(plan) - _KNOWN)
    if unknown:
        raise ConfigError(f"{unknown[0]!r} is unknown", setting=_SETTING, hint=f"one of {', '.join(sorted(_KNOWN))}")
    until = plan["until"]
    if not isinstance(until, datetime) or until.tzinfo is None:
        raise ConfigError(
            "it is not a datetime with a time zone",
            setting=f"{_SETTING}.until",
            hint="datetime(2026, 1, 31, tzinfo=UTC)",
        )
    return plan
