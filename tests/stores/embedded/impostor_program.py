"""A process that listens where a server is expected, says yes to everything, and prints what it is told.

Arguments: the path of a unix socket, or a loopback port. It takes the place over as far as the system lets it.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
import time
from pathlib import Path

PATIENCE = 30.0


def listener(place: str) -> socket.socket:
    """A taken port is asked for again and again, as by whoever waits for it to become free."""
    if not place.isdigit():
        Path(place).unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(place)
        listening.listen()
        return listening
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_server(("127.0.0.1", int(place)))
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.001)


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def hear(client: socket.socket) -> None:
    with client, contextlib.suppress(OSError):
        while words := client.recv(65536):
            say("told", words)
            client.sendall(b"+OK\r\n" * max(1, words.count(b"*")))
    say("left")


if __name__ == "__main__":
    signal.alarm(120)  # the fake server that started it is killed without a chance to end it; no test is longer
    with listener(sys.argv[1]) as listening:
        say("ready")
        while True:
            threading.Thread(target=hear, args=(listening.accept()[0],), daemon=True).start()
