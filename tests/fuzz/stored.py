"""Targets: what may lie in a store, wherever it comes from (R-20 to R-22, E-9, S-90, S-112).

Each input is a list of pieces. What the readers make of it is a session that every place can keep, or the reason why
there is none; nothing else leaves them, so that no content of the store ends the link to it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any
from zlib import crc32

from wsgessions.cache.off_heap import layout as off_heap
from wsgessions.errors import RecordTooNew
from wsgessions.record import CommitOutcome, CommitStatus, SessionChanges, SessionDelta, SessionKey, SessionRecord
from wsgessions.stores.aiocache.document import Document, Unreadable
from wsgessions.stores.aiocache.document import pack as pack_document
from wsgessions.stores.aiocache.document import unpack as unpack_document
from wsgessions.stores.valkey.format import principal as binding
from wsgessions.stores.valkey.format import scripts as layout
from wsgessions.stores.valkey.format.forward import Redirect
from wsgessions.stores.valkey.format.metadata import HEAD, ScriptStatus
from wsgessions.stores.valkey.sessions import heads
from wsgessions.stores.valkey.sessions import load as reading

from .inputs import pieces
from .judgement import NOW_MS, check_record

KEY = SessionKey(0x123, bytes(range(16)))
GENERATION = 3
_PARTS = ("status", "version", "previous", "expires", "results", "names", "present", "interval", "changed", "live")


def check_record_fields(data: bytes) -> None:
    """The first piece is the score in the index; then field and value, of one hash."""
    score, *flat = pieces(data) or [b""]
    fields = dict(zip(flat[::2], flat[1::2], strict=False))
    at = layout.instant(_score(score))
    for found in (
        reading._read(KEY, fields, NOW_MS, at),
        reading._read(KEY, [0, flat[: len(flat) // 2 * 2]], NOW_MS, at),
    ):
        if isinstance(found, tuple):
            check_record(_as_record(found[0]))
        else:
            assert isinstance(found, ScriptStatus | Redirect)
    wanted = heads.fields_for(("cart",))
    _check_found(heads.found_in(KEY, wanted, [fields.get(name) for name in wanted], at, NOW_MS))
    if not fields.get(b"m", b"").startswith(head()[:2]):  # magic and format
        assert layout.read_record(KEY, fields, at, NOW_MS) not in (None, KEY)
        assert isinstance(layout.read_record(KEY, fields, at, NOW_MS), ScriptStatus)


def _as_record(found: SessionRecord | SessionChanges) -> SessionRecord:
    assert isinstance(found, SessionRecord)
    return found


def _check_found(found: heads.Found) -> None:
    if isinstance(found, SessionRecord):
        check_record(found)
    elif isinstance(found, Redirect):
        assert len(found.key.digest) == 16
    else:
        assert found is None or isinstance(found, ScriptStatus)


def _score(piece: bytes) -> float | None:
    return None if len(piece) != 8 else struct.unpack(">d", piece)[0]


def check_outcome(data: bytes) -> None:
    """The answer of ``commit.lua`` or ``load.lua`` in its shape, with contents of a foreign record."""
    parts = pieces(data)
    numbers = list(struct.unpack(">7Q", parts[0].ljust(56, b"\0")[:56])) if parts else [0] * 7
    results, lineage = [*parts[1:3], b"", b""][:2]
    split = min(numbers[6], len(parts)) if parts else 0
    names, rest = parts[3 : 3 + split], parts[3 + split :]
    changed = rest[: len(rest) // 2 * 2]
    delta = SessionDelta(KEY, 1, 2, increments=dict.fromkeys(("n", "m")[: len(results) % 3], 1))
    status = numbers[0] % 9
    reply: list[Any] = [status, *numbers[1:4], results, names]
    for each in (reply, [*reply, numbers[4], numbers[5], changed, names or None, lineage]):
        try:
            outcome = layout.read_outcome(delta, each)
        except ValueError:  # as documented: `_Commit.note` makes "gone" of it
            continue
        assert isinstance(outcome, CommitOutcome)
        assert outcome.status in CommitStatus
        assert outcome.changes is None or len(outcome.changes.lineage) <= 72
    found = reading._read(
        KEY, [0, numbers[1], numbers[5], numbers[4], numbers[3], changed, names or None, lineage], NOW_MS, None
    )
    assert isinstance(found, tuple | ScriptStatus)


def check_members(data: bytes) -> None:
    """An index of a principal, and what records say of whose they are: member, field, score."""
    parts = pieces(data)
    for member, field, score in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
        if binding.is_member(member):
            key = binding.key_of(member)
            assert (binding.member_of(key), key.prefix < 4096) == (member, True)
        at = layout.instant(_score(score))
        assert at is None or 0 <= at <= 2**53
        owner = binding.owner_of(field, KEY.digest)
        assert owner is None or (0 < len(owner[0].encode()) <= 512 and owner[1].prefix < 4096)
        prefix = binding.prefix_in(field)
        assert prefix is None or prefix < 4096


def check_document(data: bytes) -> None:
    """What lies in a cell of a cache."""
    try:
        document = unpack_document(data, KEY)
    except (Unreadable, RecordTooNew):
        return
    for entry in filter(None, (document.entry, document.heir)):
        if entry.tombstone_until is None:
            check_record(entry.record(), now_ms=entry.created)  # no time is told here
        entry.changes(0)
        entry.in_history(max(0, entry.version - 1))
    raw = pack_document(document)
    again = unpack_document(raw, KEY)
    assert pack_document(again) == raw
    assert Document(again.entry, again.heir) == document


def check_off_heap(data: bytes) -> None:
    """A record in memory that workers share, as it lies there, and with its own sums put right."""
    for each in (data, _made_fit(data)):
        record = off_heap.unpack(each, KEY, GENERATION)
        if record is not None:
            assert record.key == KEY
            assert off_heap.unpack(off_heap.pack(record, GENERATION), KEY, GENERATION) == record


def _made_fit(data: bytes) -> bytes:
    """The same, as a record of our session and generation with the right length and checksum."""
    rest = data[32:-4]
    body = struct.pack("=QQ16s", 36 + len(rest), GENERATION, KEY.digest) + rest
    return body + struct.pack("<I", crc32(body))


def head(commits: Sequence[bytes] = (), **fields: int | bytes) -> bytes:
    """Metadata of a session as scripts write them."""
    usual: dict[str, Any] = {
        "magic": 119,
        "format": 2,
        "incarnation": bytes(range(8)),
        "version": NOW_MS * 1000,
        "created": NOW_MS - 1000,
        "interval": 1_800_000,
        "deadline": NOW_MS + 80_000_000,
        "removed": 0,
        "floor": NOW_MS * 1000 - 9,
        "commits": len(commits),
    }
    return HEAD.pack(*{**usual, **fields}.values()) + b"".join(commits)
