"""The parameters that all nodes of an application share: the segments, and the secret (C-25)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ...store.followers import Followers
from .client.commands import Commands
from .client.preflight import agree_on_concurrency, agree_on_secret, check_agreed
from .format.segments import Segments, application_prefix

__all__ = ["Agreement"]


class Agreement:
    """Read again over each connection, since the store may have been emptied, swapped or replaced meanwhile.

    Args:
        namespace: the first part of every key.
        context_path: the application.
        concurrency: the number of segments; 0 takes the number recorded in the store, or the default in a new one.
        required: further settings that all nodes must have alike, see `check_agreed`.
    """

    def __init__(
        self, namespace: str, context_path: str, concurrency: int, required: Mapping[str, str] | None = None
    ) -> None:
        self.segments: Segments | None = None
        """Known from the first connection on."""
        self.secret: bytes = b""
        """The shared secret, after its first use."""
        self.secret_name: Final = f"{namespace}:mac"
        self._namespace = namespace
        self._context_path = context_path
        self._concurrency = concurrency
        self._required = required or {}
        self._followers: Final = Followers()

    async def reach(self, commands: Commands) -> bool:
        """Read the parameters over a fresh connection, or propose them. The previous ones are proposed again, so that
        an emptied store changes as little as possible.

        Returns:
            Whether the number of segments has changed, so that requests under way use the wrong keys.
        """
        config_key = application_prefix(self._namespace, self._context_path) + "cfg"
        before = 0 if self.segments is None else len(self.segments)
        agreed = await agree_on_concurrency(commands, config_key, self._concurrency, proposal=before)
        await check_agreed(commands, config_key, self._required)
        if agreed != before:
            self.segments = Segments(self._namespace, self._context_path, agreed)
        if self.secret:
            self.learn_secret(await agree_on_secret(commands, self.secret_name, self.secret))
        return before not in (0, agreed)

    def follow_secret(self, known: bytes, tell: Callable[[bytes], None]) -> None:
        """See `SecretKeeping.follow_secret`."""
        self.secret = self.secret or known
        self._followers.add(tell)

    def learn_secret(self, secret: bytes) -> None:
        """Record the secret that the store has returned."""
        before, self.secret = self.secret, secret
        if before not in (b"", secret):
            self._followers.tell(secret)
