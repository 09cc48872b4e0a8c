"""The memory of the heap tier compared with its own accounting, and the pauses that a full one causes."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from wsgessions.cache.near_cache import PLACEHOLDER_SHARE
from wsgessions.codec import encode
from wsgessions.record import SessionRecord, StoredAttributes, allow_placeholders
from wsgessions.record.names import shared
from wsgessions.session.lazy_values import LazyValue

from .hit_ratio import HeapTier, session_record
from .run import Run
from .section import Section, Value, table

__all__ = ["measure"]

_MIB: Final = 2**20
_SHAPES: Final = ((1, 8), (20, 100), (200, 100))
"""Number of attributes and their length."""
_STAMP: Final = 8
"""Bytes before each value in an answer of the store, of which each value is a copy."""

_TEXT: Final = """A process of its own for each row. The heap tier is filled with twice as many sessions as fit, each
read once, so that the latest have placeholders too. *Tracked*: objects that the garbage collector visits, for each
session; *collection*: a run of it over all its generations, the longest possible pause, without the tier and with the
full one; *reset*: dropping all copies, as after a lost connection, which happens within one turn of the event
loop."""


class _Filled(NamedTuple):
    sessions: int
    accounted: int
    resident: int
    tracked: int
    empty_collection: float
    collection: float
    reset: float


def measure(run: Run) -> list[Section]:
    """Sessions of several shapes, each in a process of its own."""
    limits = run.choose(quick=(8 * _MIB,), full=(8 * _MIB, 128 * _MIB))
    rows: list[list[Value]] = []
    for limit, (count, length) in itertools.product(limits, _SHAPES):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            filled = pool.apply(_fill, (limit, count, length))
        rows.append(
            [
                f"{limit // _MIB} MB, {count} x {length} B",
                filled.sessions,
                round(filled.accounted / filled.sessions),
                filled.accounted / _MIB,
                filled.resident / _MIB,
                filled.tracked / filled.sessions,
                filled.empty_collection * 1000,
                filled.collection * 1000,
                filled.reset * 1000,
            ]
        )
    head = (
        "limit, attributes", "sessions", "bytes of each", "accounted (MB)", "growth of RSS (MB)", "tracked",
        "collection, empty (ms)", "collection, full (ms)", "reset (ms)",
    )  # fmt: skip
    return [Section("Memory of the heap tier, and the pauses that it causes", f"{_TEXT}\n\n{table(head, rows)}")]


def _fill(limit: int, count: int, length: int) -> _Filled:
    empty = _typical(gc.collect)
    objects, before, tier = len(gc.get_objects()), _resident(), HeapTier(limit - limit // PLACEHOLDER_SHARE)
    allow_placeholders(limit // PLACEHOLDER_SHARE)
    _use(tier, _sessions(count, length, twice=2 * limit))
    sessions, accounted, resident = len(tier), tier.bytes, _resident() - before
    collection = _typical(gc.collect)
    tracked = len(gc.get_objects()) - objects
    began = time.perf_counter()
    tier.clear()
    return _Filled(sessions, accounted, resident, tracked, empty, collection, time.perf_counter() - began)


def _use(tier: HeapTier, records: Iterator[SessionRecord]) -> None:
    for record in records:
        tier.put(record)
        tier.get(record.key.digest)
        record.attributes.placeholders(LazyValue.all_of)


def _sessions(count: int, length: int, *, twice: int) -> Iterator[SessionRecord]:
    """Sessions with separate values, as if parsed from answers of the store, of so many bytes in total."""
    names = [shared(f"attr{index}") for index in range(count)]
    for number in range(twice // (count * (length + 100) + 600)):
        value = f"{number:0{length}d}"
        stamped = {name: bytes(_STAMP) + encode(value, name=name) for name in names}
        yield session_record(number, StoredAttributes({name: raw[_STAMP:] for name, raw in stamped.items()}))


def _typical(what: Callable[[], object]) -> float:
    """Seconds: the median of some runs."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        what()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _resident() -> int:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096
