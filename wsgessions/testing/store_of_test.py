"""A real store for tests: one embedded Valkey for many, and a namespace of it for each."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Unpack

from ..manager import SessionManager
from ..settings import SessionSettings, SettingOverrides
from .loop_thread import LoopThread

__all__ = ["ServerOfTests", "StoreOfTest", "run_server"]


class ServerOfTests:
    """The fixture `wsgessions_server`: an embedded Valkey that runs.

    Attributes:
        directory: of the server, with its logs.
        store_url: the setting, for applications of this process and of others.
    """

    def __init__(self, directory: Path) -> None:
        self.directory: Path = directory
        self.store_url: str = f"embedded:{directory}"

    def __repr__(self) -> str:
        return f"ServerOfTests({str(self.directory)!r})"


@contextmanager
def run_server(directory: Path) -> Generator[ServerOfTests]:
    """Run a server as long as the block; it ends by itself if this process is killed.

    Raises:
        ConfigError: there is no server program for this platform.
        StoreUnavailable: the server does not start.
    """
    from ..embedded import EmbeddedServer

    server = EmbeddedServer(directory)
    with LoopThread() as thread:
        thread.run(asyncio.wait_for(server.attach(), 30))
    try:
        yield ServerOfTests(directory)
    finally:
        server.detach()


class StoreOfTest:
    """The fixture `wsgessions_store`: a store that nobody else uses.

    Args:
        store_url: the server's.
        thread: where managers are closed.

    Attributes:
        url: the setting `store_url`.
        namespace: the setting `namespace`, another one for each test.
    """

    def __init__(self, store_url: str, thread: LoopThread) -> None:
        self.url = store_url
        self.namespace: str = f"t{secrets.token_hex(8)}"
        self._thread = thread
        self._managers: list[SessionManager] = []

    def settings(self, **overrides: Unpack[SettingOverrides]) -> SessionSettings:
        """Settings of this store.

        Args:
            overrides: other settings by name.

        Raises:
            ConfigError: a setting is wrong.
        """
        given: SettingOverrides = {"store_url": self.url, "namespace": self.namespace}
        given.update(overrides)
        return SessionSettings(**given)

    def manager(self, **overrides: Unpack[SettingOverrides]) -> SessionManager:
        """A manager of such settings, which is closed after the test.

        With ``store_url="memory:"`` all managers of the test share one memory.
        """
        settings = self.settings(**overrides)
        shared = [each.store for each in self._managers if _is_memory(each.settings)] if _is_memory(settings) else []
        self._managers.append(SessionManager(settings, store=shared[0] if shared else None))
        return self._managers[-1]

    def close(self) -> None:
        """Close the managers."""
        while self._managers:
            self._thread.run(self._managers.pop().close())


def _is_memory(settings: SessionSettings) -> bool:
    return settings.store_url.get_secret_value().lower().startswith("memory:")
