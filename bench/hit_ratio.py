"""How many requests find their session in a heap tier of a given size: ours (S3-FIFO) beside LRU."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from wsgessions.cache.heap import MOST_USES, Snapshot, Snapshots, snapshot_bytes
from wsgessions.codec import encode
from wsgessions.record import SessionKey, SessionRecord, StoredAttributes

from .chart import Axis, Line, line_chart
from .run import Run
from .section import Section, table

__all__ = ["HeapTier", "measure", "session_record"]

SHARES: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Limits, as shares of what all sessions would take."""
_SIZES: Final = (5, 10, 20, 20, 40)
"""Attributes of 100 characters; sessions have these in turn."""


class _Pattern(NamedTuple):
    name: str
    exponent: float
    crawler: float
    """Share of the requests that show a session that never comes again."""
    colour: int


_PATTERNS: Final = (
    _Pattern("Zipf 0.8", 0.8, 0.0, 0),
    _Pattern("Zipf 1.0", 1.0, 0.0, 1),
    _Pattern("Zipf 0.8, crawler", 0.8, 0.3, 2),
    _Pattern("Zipf 1.0, crawler", 1.0, 0.3, 3),
)

_TEXT: Final = """Sessions are requested with Zipf's popularity: the second most popular half as often as the first
where the exponent is 1. Three requests in ten of the *crawler* have a session that never comes again. The limit is a
share of the size of all sessions. `Snapshots`, the heap tier itself, is compared with a list in the order of the latest
use (LRU), with the same sessions and the same accounting of bytes; the second half of the requests counts."""


def measure(run: Run) -> list[Section]:
    """Both policies, in all patterns and sizes."""
    sessions, requests = run.choose(quick=(1000, 5_000), full=(10_000, 100_000))
    lines: dict[str, Line] = {}
    rows: list[list[str | float]] = []
    for pattern in _PATTERNS:
        asked = list(_requests(pattern, sessions, requests))
        ours, lru = (
            {share: _ratio(tier, asked, int(share * _bytes_of_all(sessions))) for share in SHARES}
            for tier in (HeapTier, _Lru)
        )
        lines[pattern.name] = Line({100 * share: ratio for share, ratio in ours.items()}, colour=pattern.colour)
        lines[f"{pattern.name}, LRU"] = Line(
            {100 * share: ratio for share, ratio in lru.items()}, dashed=True, colour=pattern.colour
        )
        rows += [[pattern.name, *ours.values()], ["the same, LRU", *lru.values()]]
    chart = line_chart(
        lines,
        Axis("limit, % of all sessions", [1, 2, 5, 10, 20, 50], logarithmic=True),
        Axis("hit ratio", [0, 0.2, 0.4, 0.6, 0.8, 1]),
    )
    text = f"{sessions:,} sessions of 5 to 40 attributes, {requests:,} requests. {_TEXT}\n\n"
    text += table(("", *[f"{share:.0%}" for share in SHARES]), rows)
    return [Section("Hit ratio against the memory limit", text, {"hit-ratio.svg": chart})]


class HeapTier(Snapshots):
    """The heap tier, used as by the near cache."""

    def get(self, digest: bytes) -> Snapshot | None:
        """The snapshot of this session, its use counted."""
        found = self.peek(digest)
        if found is not None and found.uses < MOST_USES:
            found.uses += 1
        return found


class _Lru:
    """The common alternative, as bare as it can be."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._sizes: OrderedDict[bytes, int] = OrderedDict()

    def get(self, digest: bytes) -> bool | None:
        if digest not in self._sizes:
            return None
        self._sizes.move_to_end(digest)
        return True

    def put(self, record: SessionRecord) -> None:
        self._sizes[record.key.digest] = size = snapshot_bytes(record)
        self._left -= size
        while self._left < 0:
            self._left += self._sizes.popitem(last=False)[1]


def session_record(number: int, attributes: StoredAttributes) -> SessionRecord:
    """A session as it might have come from the store."""
    digest = hashlib.blake2b(number.to_bytes(8), digest_size=16).digest()
    return SessionRecord(SessionKey(number % 4096, digest), 1, 1, 0, 0, 2**50, 2**50, attributes)


def _requests(pattern: _Pattern, sessions: int, requests: int) -> Iterator[SessionRecord]:
    """The session of each request; and of those that come again, one object for each."""
    chance = random.Random(7)
    weights = list(itertools.accumulate(1 / rank**pattern.exponent for rank in range(1, sessions + 1)))
    strangers = itertools.count(sessions)
    shapes = [StoredAttributes({f"a{i}": encode("x" * 100, name="a") for i in range(count)}) for count in _SIZES]
    records = [session_record(number, shapes[number % len(shapes)]) for number in range(sessions)]
    for record in chance.choices(records, cum_weights=weights, k=requests):
        stranger = chance.random() < pattern.crawler
        yield session_record(next(strangers), chance.choice(shapes)) if stranger else record


def _ratio(tier: type[HeapTier | _Lru], asked: Sequence[SessionRecord], limit: int) -> float:
    cache, hits, half = tier(limit), 0, len(asked) // 2
    for number, record in enumerate(asked):
        if cache.get(record.key.digest) is None:
            cache.put(record)
        elif number >= half:
            hits += 1
    return hits / (len(asked) - half)


def _bytes_of_all(sessions: int) -> int:
    attributes = {f"a{i}": encode("x" * 100, name="a") for i in range(max(_SIZES))}
    shapes = [StoredAttributes(dict(list(attributes.items())[:count])) for count in _SIZES]
    return sum(snapshot_bytes(session_record(0, shape)) for shape in shapes) * sessions // len(shapes)
