"""Starts the store when a request needs it, and reads the nodes' shared keys of watermarks (C-13, C-25)."""

from __future__ import annotations

import secrets

from ..credentials.watermark import WatermarkSeal
from ..settings import SessionSettings
from ..store.capabilities import SecretKeeping, find_capability
from ..store.contract import Store
from .in_force import tell_what_is_in_force

__all__ = ["StoreStartup"]


class StoreStartup:
    """The store of one manager, from its start to its close.

    Args:
        store: the store.
        settings: the settings, of which `secrets` and `clients_remembered` are used.
        must_start: whether the store is to be started before its first use. A store of the factory starts itself then,
            in a store loop that outlives this event loop.
    """

    def __init__(self, store: Store, settings: SessionSettings, *, must_start: bool) -> None:
        self.store: Store = store
        self.seal: WatermarkSeal | None = None
        """Makes watermarks; None unless started."""
        self._settings = settings
        self._must_start = must_start
        self._told = False

    async def ready(self, deadline: float, *, start_store: bool = False) -> WatermarkSeal:
        """Start the store, unless it is started.

        Args:
            deadline: when to give up, by the monotonic clock.
            start_store: whether to connect now, also if the store starts itself at its first use.

        Raises:
            StoreUnavailable: the store cannot be reached.
            ConfigError: the store must not be used as configured.
        """
        if start_store or self._must_start:
            await self.store.start(deadline=deadline)
            self._must_start = False
        if self.seal is None:
            self.seal = self._sealed_with(await self._watermark_keys(deadline))
            if not self._told:
                self._told = True
                tell_what_is_in_force(self._settings)
        return self.seal

    async def close(self) -> None:
        """Disconnect from the store. It is started again when a request needs it."""
        self.seal, self._must_start = None, True
        await self.store.close()

    def _sealed_with(self, keys: list[bytes]) -> WatermarkSeal:
        return WatermarkSeal(keys, remembered=self._settings.clients_remembered)

    async def _watermark_keys(self, deadline: float) -> list[bytes]:
        if self._settings.secrets:
            return [secret.get_secret_value().encode() for secret in self._settings.secrets]
        proposal = secrets.token_bytes(32)
        keeper = find_capability(self.store, SecretKeeping)
        if keeper is None:
            return [proposal]
        secret = await keeper.shared_secret(proposal, deadline=deadline)
        keeper.follow_secret(secret, self._learn_secret)
        return [secret]

    def _learn_secret(self, secret: bytes) -> None:
        """The nodes have agreed on another secret, since the store was emptied (C-25)."""
        if self.seal is not None:
            self.seal = self._sealed_with([secret])
