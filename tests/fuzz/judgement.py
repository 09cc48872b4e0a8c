"""What every session must be that a reader has taken out of foreign bytes."""

from __future__ import annotations

from wsgessions.cache.heap import snapshot_bytes
from wsgessions.cache.off_heap.layout import pack, unpack
from wsgessions.record import SessionRecord
from wsgessions.record.history import COMMITS_REMEMBERED
from wsgessions.record.principal import MAX_PRINCIPAL_BYTES
from wsgessions.store.constants import EXACT

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000


def check_record(record: SessionRecord, *, now_ms: int = NOW_MS) -> None:
    """Its numbers are in their ranges, its parts have their sizes, and every place that keeps sessions can keep it."""
    assert 0 <= record.incarnation < 2**64
    assert 0 <= record.rotated <= record.version < EXACT
    assert record.created_ms <= min(now_ms + DAY_MS, record.deadline_ms)
    assert max(record.interval_ms, record.deadline_ms, record.expires_ms) <= EXACT
    assert min(record.interval_ms, record.created_ms, record.expires_ms) >= 0
    assert len(record.lineage) % 8 == 0
    assert len(record.lineage) <= 8 * (1 + COMMITS_REMEMBERED)
    assert len(record.renewed_from) in (0, 16)
    assert (len(record.key.digest), record.key.prefix < 4096) == (16, True)
    if record.binding is not None:
        assert 0 < len(record.binding.principal.encode()) <= MAX_PRINCIPAL_BYTES
        assert record.binding.version <= record.version
    for raw in record.attributes.raw.values():
        assert type(raw) is bytes
    record.follows(max(0, record.version - 1))
    assert unpack(pack(record, 3), record.key, 3) == record
    assert snapshot_bytes(record) > 0
