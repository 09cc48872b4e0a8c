"""The list of members: the nodes that may keep copies of sessions, and the time since when the list has been kept
(C-6).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from ..client.replies import Reply
from ..client.script import Script

if TYPE_CHECKING:
    from ..client.commands import Commands
    from ..format.segments import Segment
    from ..store import ValkeyStore

__all__ = ["MEMBERS", "Listed", "Member", "begin_list", "list_members"]

MEMBERS: Final = Script.load("members", "clock", "member_list")
"""List the members."""
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


async def begin_list(commands: Commands, segment: Segment) -> int:
    """Have the list kept from now on, so that a barrier need not wait for nodes that may be missing in it (C-6).

    Returns:
        Since when it has been kept, in milliseconds by the store's clock.
    """
    _, origin_ms, _ = await commands.call(MEMBERS, (segment.members, segment.hint), (0,))
    return int(origin_ms)


async def list_members(store: ValkeyStore, *, hint: bool, deadline: float) -> Listed:
    """The nodes.

    Args:
        store: the store.
        hint: whether all of them are to beat at once (C-15).
        deadline: see `Store`.
    """
    segment = next(iter(await store.known_segments(deadline)))
    keys = (segment.members, segment.hint)
    reply: Reply = await store.sender.send(lambda _: store.link.call(MEMBERS, keys, (int(hint),), deadline=deadline))
    now_ms, origin_ms, fields = reply
    beats = iter(fields)
    members = [Member(node, *_BEATS.unpack(packed)) for node, packed in zip(beats, beats, strict=True)]
    return Listed(now_ms, origin_ms, members)
