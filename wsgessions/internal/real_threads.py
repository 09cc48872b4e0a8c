"""Finds out whether the threads of this process are real ones.

gevent and eventlet replace threads by greenlets, all in one thread. An event loop in one of these looks to all others
like their own, so that no call can be passed to it; and it would stop them all.
"""

from __future__ import annotations

import sys

from ..errors import ConfigError

__all__ = ["require_real_threads"]


def require_real_threads() -> None:
    """Check that no library has replaced the threads of this process.

    Raises:
        ConfigError: one has.
    """
    library = _replaced_by()
    if library is not None:
        raise ConfigError(
            f"{library} has replaced the threads of this process, and the connection to the store needs a real one",
            setting="store_url",
            hint=f"serve the application with other workers (gunicorn -k gthread, or an ASGI server), and without the "
            f"patches of {library}",
        )


def _replaced_by() -> str | None:
    """The library that has replaced them; looked up, so that none is imported."""
    gevent, eventlet = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    if gevent is not None and gevent.is_module_patched("threading"):
        return "gevent"
    if eventlet is not None and eventlet.is_monkey_patched("thread"):
        return "eventlet"
    return None
