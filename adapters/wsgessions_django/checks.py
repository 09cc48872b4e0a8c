"""The checks of sessions for ``manage.py check``.

| id | what is wrong |
|---|---|
| `wsgessions.E001` | a setting of wsgessions is wrong |
| `wsgessions.E002` | the engine is wsgessions', and `MIDDLEWARE` has no session middleware |
| `wsgessions.E003` | the middleware is wsgessions', and the engine is not |
| `wsgessions.E004` | `MIDDLEWARE` has two session middlewares |
| `wsgessions.E005` | a middleware or app that needs the session comes before it in `MIDDLEWARE` |
| `wsgessions.W001` | Django's own middleware with the engine of wsgessions: it works, but less well |
| `wsgessions.W002` | with `DEBUG` off, the cookie may travel unencrypted |
| `wsgessions.W003` | with `DEBUG` off, sessions are in the memory of each process |
| `wsgessions.W004` | a setting of Django's engines that has no effect here |
| `wsgessions.W005` | during a migration, a filter of the project leaves the old cookie in debug pages and error mails |
| `wsgessions.W006` | a column of another app, in which it keeps ids of sessions, is too short for them |
| `wsgessions.I002` | a domain or a path has chosen the default name of the cookie |
| `wsgessions.I001` | (`check --deploy`) the project names no ASGI application |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning, register  # noqa: A004 - Django's name

from wsgessions.errors import ConfigError

from .configuration import is_changed, settings_of_project
from .engine import SessionStore
from .migration import TakeoverMiddleware
from .reports import is_masking
from .stock import imported, session_middlewares

__all__ = ["TAG", "register_all"]

TAG: Final = "wsgessions"

_OURS: Final = "wsgessions_django.SessionMiddleware"
_NEED_THE_SESSION: Final = (
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
)
_OF_NAMES: Final = frozenset({"cookie.domain", "cookie.name", "cookie.path"})
"""Settings of which not every name of the cookie takes every value."""
_CSRF: Final = "django.middleware.csrf.CsrfViewMiddleware"
_OF_IDS: Final = "session_key"
"""What packages call a column of such ids, after that of Django's own engine."""
_WITHOUT_EFFECT: Final = ("SESSION_CACHE_ALIAS", "SESSION_FILE_PATH", "SESSION_SERIALIZER")


def register_all() -> None:
    """Register all checks, each once, however often the apps of a process are set up."""
    checks = (check_settings, check_middleware, check_order, check_safety, check_effect, check_reports, check_columns)
    for check in checks:
        register(check, TAG)
    register(check_deployment, TAG, deploy=True)


def _check(messages: Callable[[], Iterator[CheckMessage]]) -> Callable[..., list[CheckMessage]]:
    """The function for Django's registry, which is a set of functions, so it must be the same one each time."""

    def check(**_: Any) -> list[CheckMessage]:
        return list(messages())

    return check


@_check
def check_settings() -> Iterator[CheckMessage]:
    """E001, I002."""
    try:
        chosen = settings_of_project()
    except ConfigError as error:
        hint = "SESSION_COOKIE_NAME names the cookie." if error.setting in _OF_NAMES else None
        yield Error(str(error), hint=hint, id="wsgessions.E001")
        return
    if chosen.origin("cookie.name").endswith(("SESSION_COOKIE_DOMAIN", "SESSION_COOKIE_PATH")):
        yield Info(
            f"The cookie is named {chosen.cookie.name}, since a __Host- cookie has no domain and no path of its own.",
            hint="SESSION_COOKIE_NAME gives it another name.",
            id="wsgessions.I002",
        )


@_check
def check_middleware() -> Iterator[CheckMessage]:
    """E002 to E004, W001."""
    stock, ours = session_middlewares()
    engine_is_ours = _engine_is_ours()
    if engine_is_ours and not stock and not ours:
        yield Error(
            "SESSION_ENGINE is of wsgessions, and MIDDLEWARE has no session middleware, so no request has a session.",
            hint=f'Put "{_OURS}" first into MIDDLEWARE, or next to it.',
            id="wsgessions.E002",
        )
    if ours and not engine_is_ours:
        yield Error(
            f"MIDDLEWARE has {ours[0]}, and SESSION_ENGINE is {settings.SESSION_ENGINE}.",
            hint='SESSION_ENGINE = "wsgessions_django"',
            id="wsgessions.E003",
        )
    if len(stock) + len(ours) > 1:
        yield Error(
            f"MIDDLEWARE has more than one session middleware: {', '.join([*stock, *ours])}.",
            hint=f'Leave "{_OURS}" there.',
            id="wsgessions.E004",
        )
    elif engine_is_ours and stock:
        yield Warning(
            "Django's own session middleware does not use watermarks: each request that uses its session asks the "
            "store, from another thread, and a store that does not answer is a 500.",
            hint=f'Put "{_OURS}" in its place.',
            id="wsgessions.W001",
        )


@_check
def check_order() -> Iterator[CheckMessage]:
    """E005."""
    _, ours = session_middlewares()
    dependent = (*_NEED_THE_SESSION, _CSRF) if settings.CSRF_USE_SESSIONS else _NEED_THE_SESSION
    for middleware in settings.MIDDLEWARE[: settings.MIDDLEWARE.index(ours[0])] if ours else ():
        if middleware in dependent:
            yield Error(
                f"{middleware} comes before {ours[0]} in MIDDLEWARE, so it finds no session.",
                hint=f'Put "{ours[0]}" before it.',
                id="wsgessions.E005",
            )


@_check
def check_safety() -> Iterator[CheckMessage]:
    """W002, W003: settings that are acceptable during development only."""
    try:
        chosen = settings_of_project()
    except ConfigError:  # reported as E001
        return
    if settings.DEBUG or not _engine_is_ours():
        return
    _, ours = session_middlewares()
    if ours and chosen.cookie.insecure:
        yield Warning(
            "The session's cookie is sent over plain http too: an attacker on the network can take over sessions.",
            hint="Leave SESSION_COOKIE_SECURE = False, or cookie.insecure, to development.",
            id="wsgessions.W002",
        )
    if chosen.store_url.get_secret_value().startswith("memory:"):
        yield Warning(
            "Sessions are in the memory of each process: a second process does not have them, and a restart ends them.",
            hint='WSGESSIONS = {"store_url": "valkey://host"}, or leave it out for a store of this host.',
            id="wsgessions.W003",
        )


@_check
def check_effect() -> Iterator[CheckMessage]:
    """W004."""
    if _engine_is_ours():
        for name in filter(is_changed, _WITHOUT_EFFECT):
            yield Warning(
                f"{name} has no effect on sessions of wsgessions.",
                hint="Remove it. The reference of values lists what can be stored; WSGESSIONS sets where.",
                id="wsgessions.W004",
            )


@_check
def check_reports() -> Iterator[CheckMessage]:
    """W005."""
    moves = any(found is TakeoverMiddleware for found in map(imported, settings.MIDDLEWARE))
    chosen = settings.DEFAULT_EXCEPTION_REPORTER_FILTER
    if moves and not is_masking(imported(chosen)):
        yield Warning(
            f"{chosen} does not mask the cookie of the old sessions, which is a credential until they are migrated.",
            hint="Make it inherit from wsgessions_django.reports.OldCookieFilter.",
            id="wsgessions.W005",
        )


@_check
def check_columns() -> Iterator[CheckMessage]:
    """W006: Django's own ids have 32 characters, and its column for them 40."""
    from django.contrib.sessions.base_session import AbstractBaseSession  # a model: not before the apps are loaded

    try:
        length = settings_of_project().id_length
    except ConfigError:  # reported as E001
        return
    for model in apps.get_models() if _engine_is_ours() else ():
        for field in model._meta.concrete_fields:
            limit = getattr(field, "max_length", None)
            if field.name == _OF_IDS and limit and limit < length and not issubclass(model, AbstractBaseSession):
                yield Warning(
                    f"{model._meta.label}.{_OF_IDS} has room for {limit} characters, and an id of a session has "
                    f"{length}. All databases but SQLite refuse it, and with it the login.",
                    hint=f'WSGESSIONS = {{"id_length": {limit}}}, before there are sessions to keep.',
                    id="wsgessions.W006",
                )


@_check
def check_deployment() -> Iterator[CheckMessage]:
    """I001."""
    if _engine_is_ours() and settings.WSGI_APPLICATION and not getattr(settings, "ASGI_APPLICATION", None):
        yield Info(
            "The project names a WSGI application and none of ASGI. Under WSGI sessions work, each worker waits for "
            "the store by itself, and streams are not cut when their session ends.",
            hint="Serve wrap(get_asgi_application()), from wsgessions_django.asgi, and name it by ASGI_APPLICATION.",
            id="wsgessions.I001",
        )


def _engine_is_ours() -> bool:
    try:
        store = getattr(import_module(settings.SESSION_ENGINE), "SessionStore", None)
    except ImportError:
        return False  # as above
    return isinstance(store, type) and issubclass(store, SessionStore)
