"""Tells a near cache what comes over a tracked link, in stream order (C-1 to C-3b).

The server remembers which records this connection has read, and pushes when one of them changes. It does so for a
command that follows ``CLIENT CACHING YES`` and for no other (OPTIN), and not for changes of our own (NOLOOP): after
those it has forgotten the record, unless the script that made the change ended by reading it (facts 4 and 5).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from ..errors import StoreRefused
from ..log_throttle import LogThrottle
from ..record import CommitOutcome, CommitStatus, SessionDelta, SessionKey, SessionRecord, Successor
from ..stores.feed import Feed, Loss
from .commands import Commands, ScriptCall
from .replies import Reply

__all__ = ["CACHING_YES", "Tracking"]

_log = LogThrottle(logging.getLogger("wsgessions.coherence"))

CACHING_YES: Final = (b"CLIENT", b"CACHING", b"YES")
"""Spent by the next command, even if that fails: the two travel, and are sent again, as one piece (fact 5b)."""

_DIGEST_SIZE: Final = 16


class Tracking:
    """The tracking of one link's connections. Without a cache to tell, nothing is tracked."""

    def __init__(self) -> None:
        self.cache: Feed | None = None
        self.on: bool = False
        """Whether the server tracks what the present connection reads."""
        self.watched: dict[bytes, Callable[[], None]] = {}
        """Keys that are tracked and are no records, and whom to tell when they change."""

    async def begin(self, commands: Commands) -> None:
        """Have the server track a fresh connection; where it cannot, each request is answered by a conditional read."""
        self.on = False
        if self.cache is None:
            return
        try:
            await commands.request(b"CLIENT", b"TRACKING", b"ON", b"OPTIN", b"NOLOOP")
        except StoreRefused as error:
            _log.warning("no_tracking", "the store, or a proxy before it, tracks no reads; each one asks it: %s", error)
        else:
            self.on = True

    def lose(self) -> None:
        """The connection has ended."""
        self.on = False
        if self.cache is not None:
            self.cache.reset(Loss.CONNECTION)

    def take_push(self, push: Sequence[Reply]) -> None:
        """A push message, see `OnPush`."""
        if self.cache is None or push[0] != b"invalidate":
            return
        names = push[1]
        if names is None:
            self.cache.reset(Loss.FLUSHED)
            for tell in self.watched.values():
                tell()
            return
        for name in names:
            if name in self.watched:
                self.watched[name]()
            else:
                self.cache.changed(name[-_DIGEST_SIZE:])

    @property
    def generation(self) -> int:
        """See `Feed.generation`."""
        return 0 if self.cache is None else self.cache.generation

    def held(self, key: SessionKey) -> SessionRecord | None:
        """What a conditional read of this session may rest on."""
        return None if self.cache is None else self.cache.held(key)

    async def call(
        self,
        commands: Commands,
        script: ScriptCall,
        note: Callable[[Reply, bool], None],
        *,
        deadline: float,
    ) -> Reply:
        """Run a script and have what it reads tracked, if there is a cache.

        Args:
            commands: where to send it.
            script: it must read no key but records, and end with reading the one it wrote (C-3, C-3b).
            note: called by the parser with the reply, refusals included, and whether its record is tracked now.
            deadline: see `Commands`.
        """
        if not self.on:
            return await commands.call(*script, deadline=deadline, on_reply=lambda reply: note(reply, False))
        pair = _Pair(note)
        _, reply = await commands.pipeline((CACHING_YES, script), deadline=deadline, on_reply=pair.take)
        if isinstance(reply, StoreRefused):
            raise reply
        return reply

    def note_record(self, key: SessionKey, record: SessionRecord | None, *, tracked: bool) -> None:
        """A session is in this state, or there is none."""
        if self.cache is None:
            return
        if record is not None and tracked:
            self.cache.install(record)
        else:
            self.cache.removed(key)

    def note_commit(
        self, delta: SessionDelta, successor: Successor | None, outcome: CommitOutcome | None, *, tracked: bool
    ) -> None:
        """How a commit ended; None for a refusal. Each reply to an own write replaces or removes the entry (C-9)."""
        if self.cache is None:
            return
        held = self.cache.held(delta.key)
        after = None if held is None or outcome is None else _state_after(held, delta, successor, outcome)
        if after is None or successor is not None or not tracked:
            self.cache.removed(delta.key)
        if after is not None and tracked:
            self.cache.install(after)


class _Pair:
    """Follows ``CLIENT CACHING YES`` and its command, also when the pair is sent again."""

    __slots__ = ("_note", "_permitted")

    def __init__(self, note: Callable[[Reply, bool], None]) -> None:
        self._note = note
        self._permitted: bool | None = None

    def take(self, reply: Reply) -> None:
        if self._permitted is None:
            self._permitted = reply == b"OK"
        else:
            permitted, self._permitted = self._permitted, None
            self._note(reply, permitted)


def _state_after(
    held: SessionRecord, delta: SessionDelta, successor: Successor | None, outcome: CommitOutcome
) -> SessionRecord | None:
    """The session's state after a commit, if it follows from what is held (hazard 8 of merging, C-9).

    The changes lead from the commit's base to the state before the commit. A copy that is anywhere else may be of
    a history that the server has lost, even if its version lies between the two (C-12).
    """
    changes = outcome.changes
    if held.incarnation != delta.incarnation or held.version not in {delta.base, outcome.previous}:
        return None
    if outcome.status is CommitStatus.CONFLICT and changes is not None:
        return held.merged(changes)
    if outcome.status is not CommitStatus.APPLIED:
        return None
    if changes is not None and changes.version > outcome.version:
        return None  # a resend, answered when others had committed already
    return held.after(delta, outcome, successor)
