"""Makes the indexes of principals and the sessions consistent again, without their being used (E-9, F-17, T-13).

Sessions may be missing in an index, as after a failover: the server that has the index may have lost its latest writes
while the one that has the session has not. And entries may have no session, as after the death of a process that had
ended a session without updating the index, or had announced one without creating it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from ....internal import real_time as time
from ....record import SessionRecord
from ..format.principal import BOUND, key_of, member_of, owner_of
from ..sender import Sender
from ..sessions.principal_index import PrincipalIndex, scored
from ..sessions.principals import Principals

__all__ = ["PrincipalRepair"]

_DIGEST_SIZE: Final = 16
_PATIENCE: Final = 1.0
_ENTRIES: Final = 100
"""The number of entries of an index that are checked at once; entries that move meanwhile, as by a logout, are left to
the next pass."""


class PrincipalRepair:
    """Repairs the indexes of principals in one store.

    Args:
        sender: of the store.
        index: the indexes.
        principals: reads sessions, and repairs their entries.
    """

    def __init__(self, sender: Sender, index: PrincipalIndex, principals: Principals) -> None:
        self._sender = sender
        self._index = index
        self._principals = principals

    async def repair(self, records: Iterable[bytes]) -> int:
        """Repair the index entries of sessions with a principal.

        Args:
            records: names of records; those without a principal are ignored.

        Returns:
            The number of missing entries.

        Raises:
            StoreUnavailable: the store did not answer.
        """
        names, segments = list(records), await self._sender.known_segments(_soon())
        fields = await self._sender.link.pipeline([(b"HGET", name, BOUND) for name in names], deadline=_soon())
        # What is no hash is no session of ours, and a refusal says so.
        owned = [
            owner_of(field, name[-_DIGEST_SIZE:])
            for name, field in zip(names, fields, strict=True)
            if isinstance(field, bytes)
        ]
        members = [(principal, member_of(key)) for principal, key in filter(None, owned)]
        lookups = [(b"ZSCORE", segments.index_of(principal), member) for principal, member in members]
        scores = await self._sender.link.pipeline(lookups, deadline=_soon())
        missing: defaultdict[str, dict[bytes, int]] = defaultdict(dict)
        for (principal, member), score in zip(members, scores, strict=True):
            if score is None:
                missing[principal][member] = 0
        looks = [await self._principals.look_after(principal, lost, (), _soon()) for principal, lost in missing.items()]
        return sum(isinstance(found, SessionRecord) for look in looks for found in look.values())

    async def drop_orphans(self, indexes: Iterable[bytes]) -> None:
        """Remove entries without a session from these indexes.

        Raises:
            StoreUnavailable: the store did not answer.
        """
        for index in indexes:
            at: int | None = 0
            while at is not None:
                at = await self._drop_orphans_from(index, at)

    async def _drop_orphans_from(self, index: bytes, at: int) -> int | None:
        """Check some entries from this position on; returns the next position, after removals, or None."""
        entries = (b"ZRANGE", index, at, at + _ENTRIES - 1, b"WITHSCORES")
        reply = await self._sender.link.request(*entries, deadline=_soon())
        members, segments = scored(reply), await self._sender.known_segments(_soon())
        looks = [(b"HEXISTS", segments.of(key).record(key), b"m") for key in map(key_of, members)]
        there = await self._sender.link.pipeline(looks, deadline=_soon())
        # What is no hash is no session of ours, and a refusal says so: it is left for inspection.
        missing = {member: members[member] for member, has in zip(members, there, strict=True) if has == 0}
        forgotten = await self._index.forget_in(index, missing, _soon())
        return at + len(reply) - forgotten if len(reply) == _ENTRIES else None


def _soon() -> float:
    return time.monotonic() + _PATIENCE
