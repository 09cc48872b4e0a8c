"""Whether a server that forgets may keep sessions: with its process (R-07), or where memory is short (C-18)."""

from __future__ import annotations

import logging
from typing import Final

from ..errors import ConfigError
from ..internal.log_throttle import LogThrottle

__all__ = ["KEEPS_ALL", "check_durability", "check_eviction"]

KEEPS_ALL: Final = "noeviction"
"""The memory policy of a server that refuses what it has no room for."""


def check_eviction(policy: str, *, allowed: bool, called: str, hint: str, throttle: LogThrottle) -> None:
    """Refuse a server that throws data away when memory is short, or warn of it.

    Args:
        policy: its ``maxmemory-policy``.
        allowed: whether it is only warned of.
        called: what the server is to the application, in the warning.
        hint: the remedy, in the refusal.
        throttle: where the warning goes.

    Raises:
        ConfigError: it does, and is not allowed to.
    """
    if policy == KEEPS_ALL:
        return
    if not allowed:
        problem = f"the server throws data away when memory is short (maxmemory-policy {policy})"
        raise ConfigError(problem, setting="store_url", hint=hint)
    throttle.warning("eviction", "%s has maxmemory-policy %s: it drops sessions when memory is short", called, policy)


def check_durability(append_only: bool, *, demanded: bool | None, log: logging.Logger) -> None:
    """Refuse a server without an append-only file, or warn of it.

    Args:
        append_only: whether the server keeps one.
        demanded: whether it must; False: it is warned of; None: it is not asked for.
        log: where the warning goes.

    Raises:
        ConfigError: it must, and does not.
    """
    if append_only or demanded is None:
        return
    if demanded:
        raise ConfigError(
            "the server keeps no append-only file, so that a restart loses sessions, and env is production",
            setting="store_url",
            hint="set the server's appendonly to yes; where data is kept safe by other means, set allow_volatile",
        )
    log.warning(
        "the store keeps no append-only file: its restart loses sessions, and may bring back what had ended",
        extra={"event": "volatile_store"},
    )
