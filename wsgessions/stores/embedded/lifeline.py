"""Ends the server when its supervisor is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

__all__ = ["Guardian", "tie_to_parent"]

_PR_SET_PDEATHSIG = 1


def tie_to_parent() -> Callable[[], None] | None:
    """The function that a new child runs before it becomes the server, so that the kernel ends it when this process
    dies.

    None if the system has no such function: all systems but Linux.

    The signal is SIGTERM, at which the server writes and syncs its append-only file. It is sent at the end of the
    *thread* that started the child, so that must be the main one.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the kernel was informed
            os._exit(1)

    return tie


class Guardian:
    """For systems without that function: a process that waits for this one's end, and then ends the server.

    It reads a pipe; only this process holds the other end. A byte means "released", the end of the pipe means death.
    """

    def __init__(self, server: int) -> None:
        """``server``: the process to end."""
        watched, self._ours = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _watch(watched, server)
        os.close(watched)

    def release(self) -> None:
        """Stop guarding: the server has ended."""
        with suppress(OSError):
            os.write(self._ours, b".")
        os.close(self._ours)
        os.waitpid(self._pid, 0)


def _watch(watched: int, server: int) -> None:
    """Runs in the guardian and never returns. It keeps no other file open, since locks would live on in them."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    os.setsid()
    os.closerange(0, watched)
    os.closerange(watched + 1, os.sysconf("SC_OPEN_MAX"))
    if not os.read(watched, 1):
        with suppress(ProcessLookupError):
            os.kill(server, signal.SIGTERM)
    os._exit(0)
