"""Whether a server that forgets with its process may keep sessions (R-07)."""

from __future__ import annotations

import logging

from ..errors import ConfigError

__all__ = ["check_durability"]


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
