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
    from .heartbeat import Heartbeat
    from .store import ValkeyStore

__all__ = ["confirm_primary", "wait_for_members"]

MEMBERS: Final = Script.load("members")
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


async def wait_for_members(store: ValkeyStore, heartbeat: Heartbeat | None, lease: float, *, deadline: float) -> None:
    """See `Barring.barrier`.

    Args:
        store: the store.
        heartbeat: this node's own; it has heard of its own changes already.
        lease: seconds of the longest lease that nodes may have which are not in the list.
        deadline: see `Store`.
    """
    own = b"" if heartbeat is None else heartbeat.node
    began_ms, members = await _list(store, hint=True, deadline=deadline)
    until_ms = began_ms + _blind_spot_ms(heartbeat, members, lease)
    now_ms, pause = began_ms, _FIRST_PAUSE
    while now_ms < until_ms or any(each.may_serve(began_ms, now_ms) for each in members if each.node != own):
        if time.monotonic() + pause > deadline:
            raise NonStopTimeout("some servers may still serve the session, for as long as their leases last")
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
        # A beat of the millisecond in which this began acknowledges nothing: a node that was as quick is asked again.
        now_ms, members = await _list(store, hint=now_ms == began_ms, deadline=deadline)


async def confirm_primary(store: ValkeyStore, *, deadline: float) -> None:
    """See `Confirming.confirm`: a server that may not write refuses the script, though it had nothing to write."""
    await _list(store, hint=False, deadline=deadline)


def _blind_spot_ms(heartbeat: Heartbeat | None, members: list[_Member], lease: float) -> int:
    """How long to wait because the list may be incomplete: it begins anew with each history of the store (C-6)."""
    if heartbeat is not None and heartbeat.node not in {member.node for member in members}:
        return round(lease * 1000)  # it has just begun anew, as by FLUSHALL
    known_for = 0.0 if heartbeat is None else heartbeat.knows_timeline_for()
    return max(0, round((lease - known_for) * 1000))


async def _list(store: ValkeyStore, *, hint: bool, deadline: float) -> tuple[int, list[_Member]]:
    """The store's time and the nodes; with ``hint``, all of them are asked to beat at once."""
    segment = next(iter(await store.known_segments(deadline)))
    reply: Reply = await store.send(
        lambda _: store.link.call(MEMBERS, (segment.members, segment.hint), (int(hint),), deadline=deadline)
    )
    now_ms, *fields = reply
    beats = iter(fields)
    return now_ms, [_Member(node, *_BEATS.unpack(packed)) for node, packed in zip(beats, beats, strict=True)]
