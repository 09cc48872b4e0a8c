"""The barrier: waits until no node can serve a state any more that has just been replaced or deleted (C-15).

Every node that keeps copies is in the list of members with the store's time of its last beat, that of the last beat
with a reply by then, and its lease. A node with the reply to a beat of the present has received all earlier pushes; a
node without a beat for longer than its lease serves no copies. One of the two becomes true for each node, after a lease
at most, and after two round trips if the hint reaches it: a key that all nodes track.
"""

from __future__ import annotations

import asyncio
from typing import Final

from ....errors import NonStopTimeout
from ....internal import real_time as time
from .members import Listed, Members

__all__ = ["confirm_primary", "wait_for_members"]

_FIRST_PAUSE: Final = 0.001
_LONGEST_PAUSE: Final = 0.05


async def wait_for_members(members: Members, lease: float, *, own: bytes | None, deadline: float) -> None:
    """See `Barrier.barrier`.

    Args:
        members: the list.
        lease: seconds of the longest lease of nodes that are not in the list, because they are of an earlier timeline.
        own: this node, if it is in the list: it has processed its own changes already.
        deadline: see `Store`.
    """
    listed = await members.list(hint=True, deadline=deadline)
    began_ms, pause = listed.now_ms, _FIRST_PAUSE
    while listed.now_ms < _kept_since(members, listed, began_ms) + lease * 1000 or any(
        each.may_serve(began_ms, listed.now_ms) for each in listed.members if each.node != own
    ):
        if time.monotonic() + pause > deadline:
            raise NonStopTimeout("some servers may still serve the session, for as long as their leases last")
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
        # A beat in the millisecond of the start is no acknowledgement: such a node needs another beat.
        listed = await members.list(hint=listed.now_ms == began_ms, deadline=deadline)


def _kept_since(members: Members, listed: Listed, began_ms: int) -> int:
    """The time since when all nodes that may serve have been in the list.

    If it differs from the one that this connection knows, the store was swapped or emptied, and the list may be old and
    incomplete: then it counts as started with the barrier (C-25).
    """
    known = members.origin
    return listed.origin_ms if known in (0, listed.origin_ms) else began_ms


async def confirm_primary(members: Members, *, deadline: float) -> None:
    """See `PrimaryCheck.confirm`: a server that may not write rejects the script, although it has nothing to write."""
    await members.list(hint=False, deadline=deadline)
