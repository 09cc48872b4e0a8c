"""The list of members: the nodes that may keep copies of sessions, and the time since when the list has been kept
(C-6).
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from ..client.commands import Commands
from ..client.script import Script
from ..sender import Sender

__all__ = ["MEMBERS", "REPLACED", "Listed", "Member", "Members"]

MEMBERS: Final = Script.load("members", "clock", "member_list")
"""List the members."""
REPLACED: Final = "the store was emptied, or has other data than before"
"""The reason in log texts if `Members.is_replaced`."""
_BEATS: Final = Struct(">QQI")
_MARGIN_MS: Final = 50
"""Added to an inactive node's lease: the lease counts from the sending of its beat, which precedes the store's time of
it, so this only has to cover the drift of two clocks within one lease."""


class Member(NamedTuple):
    """A node that keeps copies."""

    node: bytes
    beat_ms: int
    """The time of its last beat, by the store's clock."""
    acknowledged_ms: int
    """The time of the last beat with a reply at that moment: the node has processed all pushes before it."""
    lease_ms: int

    def may_serve(self, since_ms: int, now_ms: int) -> bool:
        """Whether this node may still serve a state that was replaced at ``since_ms``, or earlier in that millisecond.

        Its lease is that of a beat from before: the reply to a later one comes behind the push about the replacement,
        so a node that has this reply has dropped its copy (C-26).
        """
        held_until_ms = min(self.beat_ms, since_ms) + self.lease_ms
        return self.acknowledged_ms <= since_ms and now_ms <= held_until_ms + _MARGIN_MS


class Listed(NamedTuple):
    """The list at one instant."""

    now_ms: int
    """The store's time."""
    origin_ms: int
    """The start of the list, by the same clock: each timeline of the store starts a new one."""
    members: list[Member]


class Members:
    """The list of members at one primary.

    Args:
        sender: of the store.
    """

    def __init__(self, sender: Sender) -> None:
        self.origin: int = 0
        """The time since when the list has been kept, for this connection, in milliseconds by the store's clock; 0
        without a connection."""
        self._sender = sender

    async def begin(self, commands: Commands) -> None:
        """Have the list kept from now on over a fresh connection, so that a barrier need not wait for nodes that may be
        missing in it (C-6).

        Copies that are read before the first heartbeat must not outlive their store either.
        """
        segments = self._sender.agreement.segments
        if segments is not None:
            segment = next(iter(segments))
            _, self.origin, _ = await commands.call(MEMBERS, (segment.members, segment.hint), (0,))

    async def list(self, *, hint: bool, deadline: float) -> Listed:
        """The nodes.

        Args:
            hint: whether all of them are to beat at once (C-15).
            deadline: see `Store`.
        """
        segment = next(iter(await self._sender.known_segments(deadline)))
        reply = await self._sender.call(MEMBERS, (segment.members, segment.hint), (int(hint),), deadline=deadline)
        now_ms, origin_ms, fields = reply
        beats = iter(fields)
        members = [Member(node, *_BEATS.unpack(packed)) for node, packed in zip(beats, beats, strict=True)]
        return Listed(now_ms, origin_ms, members)

    def is_replaced(self, origin: int) -> bool:
        """Whether the list differs from the previous one on this connection.

        Args:
            origin: the time since when it has been kept, as just returned by the store.
        """
        known, self.origin = self.origin, origin
        return origin != known

    def lose(self) -> None:
        """Forget the origin: the connection has ended."""
        self.origin = 0
