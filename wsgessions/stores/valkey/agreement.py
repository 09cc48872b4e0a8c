"""What all nodes of an application agree on: how sessions are spread, the secret, and which store it is (C-25)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ...store.followers import Followers
from .client.commands import Commands
from .client.preflight import agree_on_concurrency, agree_on_secret
from .coherence.members import begin_list
from .format.segments import Segments, application_prefix

__all__ = ["REPLACED", "Agreement"]

REPLACED: Final = "the store was emptied, or has other data than before"
"""What is said where `Agreement.is_replaced`."""


class Agreement:
    """Read anew over each connection, since the store may have been emptied, swapped or replaced meanwhile.

    Args:
        namespace: the first part of every key.
        context_path: the application.
        concurrency: the number of segments; 0 takes the number recorded in the store, or the default in a new one.
    """

    def __init__(self, namespace: str, context_path: str, concurrency: int) -> None:
        self.segments: Segments | None = None
        """Known from the first connection on."""
        self.secret: bytes = b""
        """The shared secret, once it was asked for."""
        self.secret_name: Final = f"{namespace}:mac"
        self._namespace = namespace
        self._context_path = context_path
        self._concurrency = concurrency
        self._followers: Final = Followers()
        self.origin: int = 0
        """Since when the list of members has been kept, as this connection knows it, in milliseconds by the store's
        clock; 0 without a connection."""

    async def reach(self, commands: Commands) -> bool:
        """Find out over a fresh connection, or be the first to say.

        What was agreed before is proposed again, so that an emptied store changes as little as can be.

        Returns:
            Whether sessions are spread in another way than before, so that requests under way name the wrong keys.
        """
        config_key = application_prefix(self._namespace, self._context_path) + "cfg"
        before = 0 if self.segments is None else len(self.segments)
        agreed = await agree_on_concurrency(commands, config_key, self._concurrency, proposal=before)
        if agreed != before:
            self.segments = Segments(self._namespace, self._context_path, agreed)
        if self.secret:
            self.learn_secret(await agree_on_secret(commands, self.secret_name, self.secret))
        return before not in (0, agreed)

    async def begin_list(self, commands: Commands) -> None:
        """Have the list of members kept from now on, and know it again.

        What is read before the first heartbeat, too, must not outlive the store that it was read from.
        """
        if self.segments is not None:
            self.origin = await begin_list(commands, next(iter(self.segments)))

    def follow_secret(self, known: bytes, tell: Callable[[bytes], None]) -> None:
        """See `SecretKeeping.follow_secret`."""
        self.secret = self.secret or known
        self._followers.add(tell)

    def learn_secret(self, secret: bytes) -> None:
        """The store has told it."""
        before, self.secret = self.secret, secret
        if before not in (b"", secret):
            self._followers.tell(secret)

    def is_replaced(self, origin: int) -> bool:
        """Whether the list of members is another one than before on this connection.

        Args:
            origin: since when it has been kept, as the store has just told.
        """
        known, self.origin = self.origin, origin
        return origin != known

    def lose(self) -> None:
        """The connection has ended."""
        self.origin = 0
