"""The barrier: waits until no node can serve any more what has just been replaced or deleted (C-15).

Every node that keeps copies is in the list of members with the store's time of its last beat, that of the beat whose
reply it had seen by then, and its lease. A node that has seen the reply to a beat of now has heard all that was pushed
before; one that has been silent for longer than its lease serves nothing. One of the two comes for each of them, after
a lease at most, and after two round trips where the hint reaches it: a key that all of them watch.
"""

from __future__ import annotations

import asyncio
import time
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import NonStopTimeout
from .replies import Reply
from .script import Script

if TYPE_CHECKING:
    from .commands import Commands
    from .segments import Segment
    from .store import ValkeyStore

__all__ = ["begin_list", "confirm_primary", "wait_for_members"]

MEMBERS: Final = Script.load("members", "member_list")
"""List the members."""
_BEATS: Final = Struct(">QQI")
_MARGIN_MS: Final = 50
"""Added to a silent node's lease: it counts from the sending of its beat, which came before the store's time of it, so
nothing but the drift of two clocks within one lease has to be covered."""
_FIRST_PAUSE: Final = 0.001
_LONGEST_PAUSE: Final = 0.05


class _Member(NamedTuple):
    node: bytes
    beat_ms: int
    acknowledged_ms: int
    lease_ms: int

    def may_serve(self, since_ms: int, now_ms: int) -> bool:
        """Whether this node may still serve what was replaced at ``since_ms``, or earlier in that millisecond."""
        return self.acknowledged_ms <= since_ms and now_ms <= self.beat_ms + self.lease_ms + _MARGIN_MS


class _Listed(NamedTuple):
    now_ms: int
    """The store's time."""
    since_ms: int
    """When the list began, by the same clock: it does so anew with each history of the store."""
    members: list[_Member]


async def wait_for_members(store: ValkeyStore, lease: float, *, deadline: float) -> None:
    """See `Barring.barrier`.

    Args:
        store: the store; this node, if it is in the list, has heard of its own changes already.
        lease: seconds of the longest lease that nodes may have which are not in the list, being of an earlier history.
        deadline: see `Store`.
    """
    own = None if store.heartbeat is None else store.heartbeat.node
    listed = await _list(store, hint=True, deadline=deadline)
    began_ms, pause = listed.now_ms, _FIRST_PAUSE
    while listed.now_ms < listed.since_ms + lease * 1000 or any(
        each.may_serve(began_ms, listed.now_ms) for each in listed.members if each.node != own
    ):
        if time.monotonic() + pause > deadline:
            raise NonStopTimeout("some servers may still serve the session, for as long as their leases last")
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
        # A beat of the millisecond in which this began acknowledges nothing: a node that was as quick is asked again.
        listed = await _list(store, hint=listed.now_ms == began_ms, deadline=deadline)


async def begin_list(commands: Commands, segment: Segment) -> None:
    """Have the list kept from now on, so that a barrier need not wait for those who might not be in it yet (C-6)."""
    await commands.call(MEMBERS, (segment.members, segment.hint), (0,))


async def confirm_primary(store: ValkeyStore, *, deadline: float) -> None:
    """See `Confirming.confirm`: a server that may not write refuses the script, though it had nothing to write."""
    await _list(store, hint=False, deadline=deadline)


async def _list(store: ValkeyStore, *, hint: bool, deadline: float) -> _Listed:
    """The nodes; with ``hint``, all of them are asked to beat at once."""
    segment = next(iter(await store.known_segments(deadline)))
    keys = (segment.members, segment.hint)
    reply: Reply = await store.send(lambda _: store.link.call(MEMBERS, keys, (int(hint),), deadline=deadline))
    now_ms, since_ms, fields = reply
    beats = iter(fields)
    members = [_Member(node, *_BEATS.unpack(packed)) for node, packed in zip(beats, beats, strict=True)]
    return _Listed(now_ms, since_ms, members)
