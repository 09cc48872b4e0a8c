"""Checks whether a server keeps sessions: over its restart (R-07), and when memory is short (C-18)."""

from __future__ import annotations

import logging
from typing import Final

from ..errors import ConfigError
from ..internal.log_throttle import LogThrottle

__all__ = ["KEEPS_ALL", "check_durability", "check_eviction"]

KEEPS_ALL: Final = "noeviction"
"""The memory policy of a server that rejects writes when its memory is full."""


def check_eviction(policy: str, *, allowed: bool, called: str, hint: str, throttle: LogThrottle) -> None:
    """Reject a server that evicts data when memory is short, or log a warning.

    Args:
        policy: its ``maxmemory-policy``.
        allowed: whether only a warning is logged.
        called: the name of the server in the warning.
        hint: the remedy, in the error.
        throttle: where the warning goes.

    Raises:
        ConfigError: it evicts, and that is not allowed.
    """
    if policy == KEEPS_ALL:
        return
    if not allowed:
        problem = f"the server throws data away when memory is short (maxmemory-policy {policy})"
        raise ConfigError(problem, setting="store_url", hint=hint)
    throttle.warning("eviction", "%s has maxmemory-policy %s: it drops sessions when memory is short", called, policy)


def check_durability(append_only: bool, *, demanded: bool | None, log: logging.Logger) -> None:
    """Reject a server without an append-only file, or log a warning.

    Args:
        append_only: whether the server has one.
        demanded: whether it is required; False: its absence is logged; None: it is not checked.
        log: where the warning goes.

    Raises:
        ConfigError: it is required, and missing.
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
