"""Checks whether the ports are free, and names the processes that use them."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable

from .places import BIND_HOST

__all__ = ["holders"]


def holders(ports: Iterable[int]) -> dict[int, str]:
    """The ports in use, each with its program, if the system shows it."""
    return {port: _holder(port) for port in ports if not _is_free(port)}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        if sys.platform != "win32":  # there, the option would let two programs use one port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((BIND_HOST, port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    if sys.platform == "win32":
        return "another program"
    from wsgessions.stores.embedded.processes import listener_of

    return listener_of(port) or "another program"
