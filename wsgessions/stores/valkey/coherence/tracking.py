"""Passes the messages of a tracked link to a near cache, in stream order (C-1 to C-3b).

The server tracks the records that this connection has read, and pushes a message when one of them changes. It does so
for a command that follows ``CLIENT CACHING YES`` and for no other (OPTIN).

It pushes our own changes too. NOLOOP would avoid that, but suppresses more: also messages about keys that the server
changes while it carries out our command, because they expire or leave a full tracking table (fact 10). So scripts that
write begin and end with a read of the record. The first read makes sure that there is exactly one push for it, which
comes right behind the reply (fact 6) and has no new information; the second has it tracked again (facts 3 and 5).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ....cache.listener import InvalidationListener
from ....errors import StoreRefused
from ....internal.log_throttle import LogThrottle
from ....record import APPLIED, CommitOutcome, CommitStatus, RotationTarget, SessionDelta, SessionKey, SessionRecord
from ....store.cache_statistics import Loss
from ..client.commands import Commands
from ..client.connection import StreamPosition
from ..client.replies import DOUBTFUL, Reply
from ..client.requests import Packer
from ..sender import ScriptChange
from .byte_count import ByteCount

__all__ = ["CACHING_YES", "TrackedChange", "Tracking"]

_log = LogThrottle(logging.getLogger("wsgessions.coherence"))

CACHING_YES: Final = (b"CLIENT", b"CACHING", b"YES")
"""Used up by the next command, even if that fails: the two are sent, and sent again, as one unit (fact 5b)."""

_PERMISSION: Final = b"*3\r\n$6\r\nCLIENT\r\n$7\r\nCACHING\r\n$3\r\nYES\r\n"
"""The same in the wire format."""

_DIGEST_SIZE: Final = 16


class Tracking:
    """The tracking of one link's connections. Without a cache, nothing is tracked."""

    def __init__(self) -> None:
        self.cache: InvalidationListener | None = None
        self.on: bool = False
        """Whether the server tracks what the present connection reads."""
        self.count: ByteCount | None = None
        """Counts the bytes of the present connection, where the server does."""
        self.watched: dict[bytes, Callable[[], None]] = {}
        """Tracked keys that are not records, with the callbacks for their changes."""
        self.stream: Final = StreamPosition()
        """The position in the stream of the link."""
        self._own_writes: set[bytes] = set()
        self._own_writes_at = -1

    async def begin(self, commands: Commands) -> None:
        """Have the server track a fresh connection; if it cannot, each request makes a conditional read."""
        self.on, self.count = False, None
        if self.cache is None:
            return
        try:
            await commands.request(b"CLIENT", b"TRACKING", b"ON", b"OPTIN")
        except StoreRefused as error:
            text = "the store, or a proxy before it, does not track keys, so each request reads the store: %s"
            _log.warning("no_tracking", text, error)
        else:
            self.on, self.count = True, await self._counting(commands)

    async def _counting(self, commands: Commands) -> ByteCount | None:
        try:
            count = await ByteCount.begun(commands)
        except StoreRefused as error:
            _log.warning("not_counted", "the store does not support CLIENT INFO: %s", error)
            return None
        if count is None:
            _log.info("not_counted", "the store does not count what it sends, so a short loss of pushes is not noticed")
        return count

    def lose(self) -> None:
        """Stop tracking: the connection has ended."""
        self.on = False
        self._own_writes.clear()
        if self.cache is not None:
            self.cache.on_lost(Loss.CONNECTION)

    def take_refusal(self, refused: StoreRefused) -> None:
        """End the lease if an error to any request reports a lost role (C-5)."""
        if self.cache is not None and refused.server_code in DOUBTFUL:
            self.cache.on_refused()

    def take_push(self, push: Sequence[Reply]) -> None:
        """A push message, see `OnPush`."""
        if self.cache is None or push[0] != b"invalidate":
            return
        names = push[1]
        if names is None:
            self.cache.on_lost(Loss.FLUSHED)
            for tell in self.watched.values():
                tell()
            return
        for name in names:
            if name in self.watched:
                self.watched[name]()
            elif name in self._own_writes and self._own_writes_at == self.stream.replies:
                self._own_writes.discard(name)
            else:
                self.cache.on_changed(name[-_DIGEST_SIZE:])

    @property
    def generation(self) -> int:
        """See `InvalidationListener.generation`."""
        return 0 if self.cache is None else self.cache.generation

    def held(self, key: SessionKey) -> SessionRecord | None:
        """What a conditional read of this session may rest on."""
        return None if self.cache is None else self.cache.get_base(key)

    def expect_own(self, names: Iterable[bytes]) -> None:
        """Expect a push for each of these before the next reply: the reply that is being parsed is to a change of
        them.
        """
        self._own_writes = set(names)
        self._own_writes_at = self.stream.replies

    def note_record(self, key: SessionKey, record: SessionRecord | None, *, tracked: bool) -> None:
        """Record that a session is in this state, or that there is none."""
        if self.cache is None:
            return
        if record is None:
            self.cache.on_removed(key)
        elif tracked:
            self.cache.on_loaded(record)
        else:
            self.cache.on_base(record)

    def note_commit(
        self, delta: SessionDelta, successor: RotationTarget | None, outcome: CommitOutcome | None, *, tracked: bool
    ) -> SessionRecord | None:
        """Record the outcome of a commit; None for an error. Each reply to our own write replaces or removes the entry
        (C-9).

        Returns:
            The session's state after the commit, if the held state led to it.
        """
        if self.cache is None:
            return None
        held = self.cache.get_base(delta.key)
        after = None if held is None or outcome is None else _state_after(held, delta, successor, outcome)
        if after is None or successor is not None:
            self.cache.on_removed(delta.key)
        if after is not None:
            if tracked:
                self.cache.on_loaded(after)
            else:
                self.cache.on_base(after)
        return after


class TrackedChange(ScriptChange, kw_only=True, eq=False):
    """A script with ``CLIENT CACHING YES`` before it, as one unit, so that the server tracks the records it reads.

    The script must read no key but records; those it writes it reads before and after (C-3, C-3b). Its keys are a
    record, an index, and other records. Without a cache, or with a server that does not track, it is sent alone.
    """

    tracking: Tracking
    tracked: bool | None = None
    """Whether its record is tracked; None until the reply to the permission."""

    def pack(self, packer: Packer, *, whole: bool = False, resend: bool = False) -> bytes:
        """See `PendingRequest.pack`."""
        arguments = self.arguments(resend=resend, not_after=self.clock.not_after(self.deadline))
        wire = packer.pack_script(self.script, self.keys, arguments, whole=whole)
        if self.tracking.on:
            self.tracked = None
            return _PERMISSION + wire
        self.tracked = False
        return wire

    def take(self, reply: Reply) -> bool:
        """See `PendingRequest.take`. Only this object gets the reply to the permission."""
        if self.tracked is None:
            self.tracked = reply == b"OK"
            return False
        if self.note(reply, tracked=self.tracked) and self.tracked:
            self.tracking.expect_own(self.keys)  # the index is not tracked: no push comes for it
        return True

    def note(self, reply: Reply, *, tracked: bool) -> bool:
        """Handle the script's reply, errors included, and answer the caller.

        Args:
            reply: the reply.
            tracked: whether the record is tracked now.

        Returns:
            Whether the script has certainly written, so that a push about that is on its way.
        """
        self.answer(reply)
        return False


def _state_after(
    held: SessionRecord, delta: SessionDelta, successor: RotationTarget | None, outcome: CommitOutcome
) -> SessionRecord | None:
    """The session's state after a commit, if it follows from the held state (C-9).

    The changes lead from the commit's base to the state before the commit. Any other copy may belong to a timeline that
    the server has lost, even if its version lies between the two (C-12).
    """
    changes = outcome.changes
    if held.incarnation != delta.incarnation or held.version not in (delta.base, outcome.previous):
        return None
    if outcome.status is APPLIED and held.version != outcome.previous and outcome.is_incomplete(delta):
        return None
    if outcome.status is APPLIED:
        late = changes is not None and changes.version > outcome.version  # a resend, answered after commits of others
        return None if late else held.after(delta, outcome, successor)
    return held.merged(changes) if outcome.status is CommitStatus.CONFLICT and changes is not None else None
