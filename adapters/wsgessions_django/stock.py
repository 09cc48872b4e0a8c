"""Which middlewares of a project give its requests their sessions: Django's own, or wsgessions'."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as StockMiddleware
from django.utils.module_loading import import_string

__all__ = ["STOCK_MIDDLEWARE", "WithOwnCookies", "imported", "session_middlewares"]

STOCK_MIDDLEWARE: Final = "django.contrib.sessions.middleware.SessionMiddleware"
"""Django's own middleware; if ``MIDDLEWARE`` has it, or one derived from it, the cookie is the one of Django's
settings."""
_OURS: Final = "wsgessions_django.SessionMiddleware"


class WithOwnCookies(StockMiddleware):
    """The base of the middleware that writes the cookies of wsgessions: by it others can tell the two kinds apart."""


def session_middlewares() -> tuple[list[str], list[str]]:
    """The session middlewares of the project: Django's or derived from it, and wsgessions' or derived from it."""
    stock: list[str] = []
    ours: list[str] = []
    for path in settings.MIDDLEWARE:
        if path in {STOCK_MIDDLEWARE, _OURS}:  # known without an import
            (ours if path == _OURS else stock).append(path)
            continue
        found = imported(path)
        if isinstance(found, type) and issubclass(found, StockMiddleware):
            (ours if issubclass(found, WithOwnCookies) else stock).append(path)
    return stock, ours


def imported(path: str) -> object:
    """The object of a setting; None if it cannot be imported: the server will not start, and reports the reason."""
    try:
        return import_string(path)
    except ImportError:
        return None
