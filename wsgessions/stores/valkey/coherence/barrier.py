"""The barrier: waits until no node can serve any more what has just been replaced or deleted (C-15).

Every node that keeps copies is in the list of members with the store's time of its last beat, that of the beat whose
reply it had seen by then, and its lease. A node that has seen the reply to a beat of now has heard all that was pushed
before; one that has been silent for longer than its lease serves nothing. One of the two comes for each of them, after
a lease at most, and after two round trips where the hint reaches it: a key that all of them watch.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from ....errors import NonStopTimeout
from .members import Listed, list_members

if TYPE_CHECKING:
    from ..store import ValkeyStore

__all__ = ["confirm_primary", "wait_for_members"]

_FIRST_PAUSE: Final = 0.001
_LONGEST_PAUSE: Final = 0.05


async def wait_for_members(store: ValkeyStore, lease: float, *, deadline: float) -> None:
    """See `Barrier.barrier`.

    Args:
        store: the store; this node, if it is in the list, has heard of its own changes already.
        lease: seconds of the longest lease that nodes may have which are not in the list, being of an earlier history.
        deadline: see `Store`.
    """
    own = None if store.heartbeat is None else store.heartbeat.node
    listed = await list_members(store, hint=True, deadline=deadline)
    began_ms, pause = listed.now_ms, _FIRST_PAUSE
    while listed.now_ms < _kept_since(store, listed, began_ms) + lease * 1000 or any(
        each.may_serve(began_ms, listed.now_ms) for each in listed.members if each.node != own
    ):
        if time.monotonic() + pause > deadline:
            raise NonStopTimeout("some servers may still serve the session, for as long as their leases last")
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
        # A beat of the millisecond in which this began acknowledges nothing: a node that was as quick is asked again.
        listed = await list_members(store, hint=listed.now_ms == began_ms, deadline=deadline)


def _kept_since(store: ValkeyStore, listed: Listed, began_ms: int) -> int:
    """Since when the nodes that may serve have been in the list.

    If it is not the one that this connection knows, the store was swapped or emptied, and the list may be old and lack
    them nevertheless: it counts as begun when the barrier was (C-25).
    """
    known = store.agreement.origin
    return listed.origin_ms if known in (0, listed.origin_ms) else began_ms


async def confirm_primary(store: ValkeyStore, *, deadline: float) -> None:
    """See `PrimaryCheck.confirm`: a server that may not write refuses the script, though it had nothing to write."""
    await list_members(store, hint=False, deadline=deadline)
