"""How the programs of these tests serve: on a free port of loopback, which they print."""

from __future__ import annotations

import socket
import sys

import uvicorn

from wsgessions.web import ASGIApp


def serve(app: ASGIApp) -> None:
    """Print the port and serve until the process is ended."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])
