"""What is in force, in one line: for the log at the start, and for ``wsgessions doctor``."""

from __future__ import annotations

import logging
from typing import Final

from ..internal.last_resort import START_LOGGER
from ..settings import SessionSettings
from ..settings.units import show_duration

__all__ = ["tell_what_is_in_force", "what_is_in_force"]

_log: Final = logging.getLogger(START_LOGGER)


def tell_what_is_in_force(settings: SessionSettings) -> None:
    """Log it."""
    _log.info("in force: %s", what_is_in_force(settings), extra={"event": "started"})


def what_is_in_force(settings: SessionSettings) -> str:
    """Store, namespace, context, cookie, timeouts and environment; the line has no secrets."""
    nonstop, plain = settings.nonstop_timeout, settings.plain_http_cookie
    facts = {
        "store": _store(settings),
        "namespace": settings.namespace,
        "context": settings.context_path,
        "cookie": settings.cookie.name + (f" ({plain.name} over plain http)" if plain else ""),
        "idle timeout": show_duration(settings.max_inactive_interval) if settings.max_inactive_interval else "none",
        "absolute timeout": show_duration(settings.absolute_timeout),
        "store deadline": "none" if nonstop is None else show_duration(nonstop),
        "env": settings.env,
    }
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _store(settings: SessionSettings) -> str:
    url = settings.store_url
    if url.scheme == "embedded" and not url.rest:
        from ..stores.embedded.default_directory import default_directory

        return f"embedded:{default_directory()}"
    return str(url)
