"""The program of the supervisor's children: ``python -m wsgessions_cart.child app PORT APPLICATION`` or ``store PORT``.

A child ends with its supervisor, however that ends: the supervisor holds the other end of the child's standard input,
and the system closes it even after ``kill -9``.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Final

from .places import BIND_HOST
from .plan import STORE_DIRECTORY
from .reports import report

if TYPE_CHECKING:
    import socket

__all__ = ["main"]

_MEANT: Final = frozenset({"insecure_cookie", "plain_http"})
_GRACEFUL_SECONDS: Final = 1
"""The longest time that an open response may delay the end of a server."""


def main(arguments: list[str]) -> None:
    """Run one child until it is stopped."""
    threading.Thread(target=_end_with_supervisor, name="supervisor", daemon=True).start()
    match arguments:
        case ["app", port, application]:
            _serve(int(port), application)
        case ["store", port]:
            _store(int(port))
        case _:
            sys.exit(__doc__)


def _end_with_supervisor() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _serve(port: int, application: str) -> None:
    import uvicorn

    _log_what_matters_here()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                report("ready")

    config = uvicorn.Config(
        application,
        host=BIND_HOST,
        port=port,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
    )
    Server(config).run()


def _log_what_matters_here() -> None:
    """Log all but the warnings of plain http: the sample is served on loopback alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(lambda record: getattr(record, "event", "") not in _MEANT)
    logger = logging.getLogger("wsgessions")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _store(port: int) -> None:
    from wsgessions.cli import main as wsgessions

    sys.argv = ["wsgessions", "server", "--dir", STORE_DIRECTORY, "--port", str(port)]
    wsgessions()


if __name__ == "__main__":
    main(sys.argv[1:])
