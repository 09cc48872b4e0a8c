"""The embedded store: a real Valkey in a private directory, started by the first process that needs it.

The parts:

* `EmbeddedServer` lives in each process that uses the store. It starts a supervisor if there is none, and gets the
  address of the server.
* The supervisor is one detached process per directory. It owns the server process, restarts it when it dies, and stops
  it when no process uses the directory any more.
* Three locks in the directory show which processes are running (`StoreDirectory`), and a fourth protects the
  supervisor's connection file. They are held by open files, so the kernel frees them however a process ends; stale
  files of a crash are never trusted.

``wsgessions server`` is the same supervisor in the foreground, with a port for clients of other hosts.
"""

from __future__ import annotations

import sys

from ...errors import ConfigError

if sys.platform == "win32":
    raise ConfigError(
        "the embedded store does not run on Windows",
        setting="store_url",
        hint="run a server elsewhere, or use WSL, and set WSGESSIONS_STORE_URL=valkey://host:6379",
    )

from .connection import FsyncPolicy
from .endpoint import Endpoint, Secret
from .server import EmbeddedServer

__all__ = ["EmbeddedServer", "Endpoint", "FsyncPolicy", "Secret"]
