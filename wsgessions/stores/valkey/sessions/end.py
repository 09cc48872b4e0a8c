"""Ends of sessions; they are sent on if the id was renewed meanwhile (C-9, C-15b, S-07)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ....internal import real_time as time
from ....record import SessionKey
from ....store.constants import TOMBSTONE_MS
from ..client.replies import Reply
from ..client.requests import Argument
from ..coherence.replica_acks import Fence
from ..coherence.revocations import Revocations
from ..coherence.tracking import Tracking
from ..diagnostics import StoreDiagnostics
from ..format.forward import place_in
from ..format.metadata import ScriptStatus
from ..format.session_scripts import DELETE
from ..sender import Sender
from .principal_index import PrincipalIndex

__all__ = ["Ended", "Ends"]

_CONFIRMATION: Final = 0.5
"""The longest time in seconds that the end of a session waits for replicas: a dead replica that the primary has not
noticed yet must not delay each logout until the deadline of its request."""


class Ended(NamedTuple):
    """The primary's answer to the end of a session."""

    existed: bool
    """Whether there was a session."""
    replicas: int = 0
    """The number of replicas."""
    timeline: bytes = b""
    """The replication id."""
    bound: bytes = b""
    """The principal in the record."""


class Ends:
    """The ends of the sessions of one store object.

    Args:
        sender: of the store.
        tracking: of its link.
        index: the indexes of principals, which ended sessions leave.
        fence: the acknowledgements of replicas.
        revocations: gets the keys that have ended for ever.
        diagnostics: gets the reasons why records were not ended.
        grace_ms: see `DEFAULT_GRACE`.
    """

    def __init__(
        self,
        sender: Sender,
        tracking: Tracking,
        index: PrincipalIndex,
        *,
        fence: Fence,
        revocations: Revocations,
        diagnostics: StoreDiagnostics,
        grace_ms: int,
    ) -> None:
        self._sender = sender
        self._tracking = tracking
        self._index = index
        self._fence = fence
        self._revocations = revocations
        self._diagnostics = diagnostics
        self._grace_ms = grace_ms

    async def end(self, key: SessionKey, deadline: float, *, by_client: bool) -> bool:
        """Remove a session, see `Store.delete`, and wait until the replicas know, if there are any (C-15b)."""
        ended = await self._end(key, deadline, by_client=by_client)
        if ended.replicas:
            until = min(deadline, time.monotonic() + _CONFIRMATION)
            if not await self._fence.passed(ended.timeline, ended.replicas, deadline=until):
                self._diagnostics.note_unconfirmed(ended.replicas)
        return ended.existed

    async def end_at_primary(self, key: SessionKey, deadline: float) -> bool:
        """The same, without waiting for replicas."""
        return (await self._end(key, deadline, by_client=False)).existed

    async def _end(self, key: SessionKey, deadline: float, *, by_client: bool) -> Ended:
        """Remove a session, also if its id was renewed meanwhile, any number of times."""
        at: SessionKey | None = key
        ended, followed = Ended(False), set[SessionKey]()
        while at is not None and at not in followed:  # no release of ours writes a circle of forwards
            followed.add(there := at)
            ended, at = await self._end_here(there, deadline, by_client=by_client)
            if ended.bound:
                await self._index.leave([(there.digest, ended.bound)], deadline)
        return ended

    async def _end_here(self, key: SessionKey, deadline: float, *, by_client: bool) -> tuple[Ended, SessionKey | None]:
        segment = await self._sender.segment(key, deadline)

        def drop_copy() -> None:
            self._tracking.note_record(key, None, tracked=False)

        def note(reply: Reply) -> None:
            drop_copy()
            if isinstance(reply, list) and reply[0] in (0, ScriptStatus.FORWARDED):
                self._revocations.note(key)

        def arguments(resend: bool, not_after: int) -> Sequence[Argument]:
            return TOMBSTONE_MS, self._grace_ms, int(resend), not_after, int(by_client)

        keys = (segment.record(key), segment.expiries)
        reply = await self._sender.change(DELETE, keys, arguments, deadline=deadline, on_reply=note, doubt=drop_copy)
        moved = place_in(key, reply)
        if moved is not None:
            return Ended(False), moved.key
        status, existed, *replication = reply
        self._diagnostics.note(status, key)
        return Ended(bool(existed), *replication), None
