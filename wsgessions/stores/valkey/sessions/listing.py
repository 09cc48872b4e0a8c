"""Counts and lists all sessions of an application, by the indexes of its segments (E-7, E-8).

A list never scans the key space. A page of it is a few round trips, for any number of segments and sessions: the time,
the number of sessions in each of the next segments, the sessions on the page, and their records.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from ....errors import StoreRefused
from ....record import SessionKey, SessionRecord
from ....store.constants import EXACT
from ....store.listing import Names, Position, SessionHead, SessionPage, is_ref
from ..client.replies import Reply
from ..client.requests import Argument
from ..format.principal import BOUND, prefix_in
from ..format.scripts import instant, milliseconds
from ..format.segments import Segment
from ..sender import Sender
from .heads import Found, Heads, fields_for, found_in

__all__ = ["Lists"]

_SEGMENTS_AT_ONCE: Final = 256
_MEMBERS_PER_SCAN: Final = 1_000
_NAMED_BYTES: Final = 4
"""The number of whole bytes of KEY in a ref, which also has half of one more."""
_BEYOND_ALL: Final = b"(%d" % EXACT
"""The latest end of a session: members with a higher score are not ours, and are not listed."""
_SPECIAL: Final = re.compile(rb"([*?\[\]\\^-])")


class _Listed(NamedTuple):
    """A session in an index."""

    segment: int
    score: int
    digest: bytes

    @property
    def position(self) -> Position:
        return Position.at(*self)


class Lists:
    """Counts and lists the sessions of one store.

    Args:
        sender: of the store.
        heads: told why records were not used.
    """

    def __init__(self, sender: Sender, heads: Heads) -> None:
        self._sender = sender
        self._heads = heads

    async def count(self, deadline: float) -> int:
        """See `Countable.count`."""
        look = await self._look(deadline)
        return sum(await look.sizes(look.segments))

    async def page(self, cursor: str | None, limit: int, names: Names, deadline: float) -> SessionPage:
        """See `Listing.page`. The indexes are complete except for moments (R-28)."""
        after = Position.read(cursor, segments=len(await self._sender.known_segments(deadline)))
        look = await self._look(deadline)
        listed = await look.beyond(after, limit + 1)
        heads = await look.read(listed[:limit], names)
        return SessionPage(heads, listed[limit - 1].position.cursor if len(listed) > limit else None)

    async def with_ref(self, ref: str, names: Names, deadline: float) -> list[SessionHead]:
        """See `Listing.with_ref`. The ref names the segment, and only its index is searched."""
        if not is_ref(ref):
            return []
        look = await self._look(deadline)
        listed = await look.beginning(int(ref[:3], 16), bytes.fromhex(ref[3:][: 2 * _NAMED_BYTES]))
        return [head for head in await look.read(listed, names) if head.key.ref == ref]

    async def _look(self, deadline: float) -> _Look:
        segments = tuple(await self._sender.known_segments(deadline))
        now_ms = milliseconds(await self._sender.request(b"TIME", deadline=deadline))
        return _Look(self._sender, self._heads, segments, now_ms, deadline)


class _Look(NamedTuple):
    """Reads of the indexes at one instant of the store's time."""

    sender: Sender
    heads: Heads
    segments: Sequence[Segment]
    now_ms: int
    deadline: float

    async def ask(self, commands: Sequence[Sequence[Argument]]) -> list[Reply]:
        return await self.sender.answers(commands, deadline=self.deadline)

    async def sizes(self, segments: Sequence[Segment]) -> list[int]:
        """The number of live sessions in each of these."""
        return await self.ask([(b"ZCOUNT", each.expiries, f"({self.now_ms}", _BEYOND_ALL) for each in segments])

    async def beyond(self, after: Position, limit: int) -> list[_Listed]:
        """The next sessions after a position, in order: at least ``limit`` of them, unless there are no more."""
        found = await self.beyond_in_segment(after, limit)
        at = after.segment + 1
        while len(found) < limit and at < len(self.segments):
            missing = limit - len(found)
            sizes = await self.sizes(self.segments[at : at + _SEGMENTS_AT_ONCE])
            sizes = sizes[: 1 + sum(total < missing for total in accumulate(sizes))]
            wanted = [number for number, size in enumerate(sizes, at) if size]
            # Some may end before they are listed: the last of these segments may have to replace them.
            ranges = await self.ask([self.later(number, self.now_ms, missing) for number in wanted])
            for number, reply in zip(wanted, ranges, strict=True):
                found += _listed(number, reply)
            at += len(sizes)
        return found

    async def beyond_in_segment(self, after: Position, limit: int) -> list[_Listed]:
        """Those with the same score come first: no more of them than the store can process in a millisecond."""
        segment, score = self.segments[after.segment], after.score
        same = (b"ZRANGE", segment.expiries, score, score, b"BYSCORE", b"WITHSCORES")
        first, then = await self.ask([same, self.later(after.segment, max(score, self.now_ms), limit)])
        beside = [each for each in _listed(after.segment, first) if each.position > after and each.score > self.now_ms]
        return beside + _listed(after.segment, then)

    def later(self, number: int, after_ms: int, most: int) -> Sequence[Argument]:
        limit = (b"BYSCORE", b"LIMIT", 0, most, b"WITHSCORES")
        return (b"ZRANGE", self.segments[number].expiries, f"({after_ms}", _BEYOND_ALL, *limit)

    async def beginning(self, prefix: int, begin: bytes) -> set[_Listed]:
        """The sessions of one segment with this beginning of KEY."""
        number, link = prefix % len(self.segments), self.sender.link
        index, pattern = self.segments[number].expiries, _SPECIAL.sub(rb"\\\1", begin) + b"*"
        found: set[_Listed] = set()
        at, generation = b"", link.generation
        while at != b"0":
            scan = (b"ZSCAN", index, at or b"0", b"MATCH", pattern, b"COUNT", _MEMBERS_PER_SCAN)
            [(at, flat)] = await self.ask([scan])
            found.update(_listed(number, zip(flat[::2], flat[1::2], strict=True)))
            if generation != link.generation:  # perhaps another server, for which the cursor is invalid
                at, generation = b"", link.generation
        return {each for each in found if each.score > self.now_ms}

    async def read(self, listed: Collection[_Listed], names: Names) -> list[SessionHead]:
        """The records of these sessions. A session that has been rotated or ended since, or cannot be read, is left
        out.
        """
        if not listed:
            return []
        fields = fields_for(names)
        reads = [(b"HMGET", self.segments[each.segment].record_prefix + each.digest, *fields) for each in listed]
        replies = await self.sender.pipeline(reads, deadline=self.deadline)
        records = [_record(each, fields, reply, self.now_ms) for each, reply in zip(listed, replies, strict=True)]
        for each, record in zip(listed, records, strict=True):
            self.heads.note(SessionKey(each.segment, each.digest), record)
        living = (each for each in records if isinstance(each, SessionRecord))
        return [SessionHead.of(record, record.attributes) for record in living]


def _listed(number: int, scored: Iterable[tuple[bytes, Reply]]) -> list[_Listed]:
    return [_Listed(number, instant(score) or 0, digest) for digest, score in scored]


def _record(listed: _Listed, fields: Sequence[bytes], reply: Reply, now_ms: int) -> Found:
    """The session. The first bits of its id are not in the index of the segment, but in its record."""
    bound = None if isinstance(reply, StoreRefused) else reply[fields.index(BOUND)]
    prefix = prefix_in(bound or b"")
    key = SessionKey(listed.segment if prefix is None else prefix, listed.digest)
    return found_in(key, fields, reply, listed.score, now_ms)
