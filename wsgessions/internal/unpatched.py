"""Finds out whether a library has replaced what the connection to the store needs of the standard library.

gevent and eventlet replace threads by greenlets, all in one thread. An event loop in one of these looks to all others
like their own, so that no call can be passed to it; and it would stop them all. With real threads and replaced sockets
or processes, some servers cannot be started or reached, others can.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from ..errors import ConfigError

__all__ = ["require_unpatched"]

_NEEDED: Final = {
    "thread": "threads",
    "threading": "threads",
    "socket": "sockets",
    "select": "sockets",
    "subprocess": "processes",
    "os": "processes",
}
"""What it needs, by the names that the libraries have for it."""
_QUESTIONS: Final = {
    "gevent": ("gevent.monkey", "is_module_patched"),
    "eventlet": ("eventlet.patcher", "is_monkey_patched"),
}
"""By library: its module, and the function of that which tells whether a part of the standard library is replaced."""


def require_unpatched() -> None:
    """Check that no library has replaced threads, sockets or processes in this process.

    Raises:
        ConfigError: one has.
    """
    for library, (module, question) in _QUESTIONS.items():
        is_replaced: Callable[[str], bool] | None = getattr(sys.modules.get(module), question, None)
        if is_replaced is None:  # looked up and not imported
            continue
        replaced = dict.fromkeys(needed for part, needed in _NEEDED.items() if is_replaced(part))
        if replaced:
            raise ConfigError(
                f"{library} has replaced {', '.join(replaced)} in this process, and the connection to the store needs "
                "the real ones",
                setting="store_url",
                hint=f"serve the application with other workers (gunicorn -k gthread, or an ASGI server), and without "
                f"the patches of {library}",
            )
