"""What our own stores write, for the targets of `tests.fuzz.stored`."""

from __future__ import annotations

import struct
from collections import deque

from wsgessions.cache.off_heap import layout as off_heap
from wsgessions.record import (
    CommitOutcome,
    CommitStatus,
    Place,
    PrincipalBinding,
    SessionKey,
    SessionRecord,
    StoredAttributes,
)
from wsgessions.stores.aiocache.document import Document
from wsgessions.stores.aiocache.document import pack as pack_document
from wsgessions.stores.memory.entry import Attribute, Commit, StoredSession

from .inputs import joined
from .judgement import NOW_MS
from .stored import GENERATION, KEY, head

STAMP = struct.pack(">Q", NOW_MS * 1000)
SCORE = struct.pack(">d", NOW_MS + 1_000_000)
OLD = bytes(range(16, 32))


def seeds() -> dict[str, dict[str, bytes]]:
    """For each target."""
    return {
        "record": _records(),
        "outcome": _outcomes(),
        "members": {
            "a-session": joined([struct.pack(">H", KEY.prefix) + KEY.digest, STAMP + b"\x01\x23ada", SCORE]),
            "nobodys": joined([struct.pack(">H", 4095) + OLD, STAMP + b"\x0f\xff", SCORE]),
        },
        "document": {name: pack_document(document) for name, document in _documents().items()},
        "off_heap": {"record": off_heap.pack(_state(), GENERATION)},
    }


def _records() -> dict[str, bytes]:
    commits = [struct.pack(">8sQBH", bytes([n]) * 8, NOW_MS * 1000 - n, 0, 2) + b"\x01\x05" for n in (2, 1, 0)]
    usual = [b"m", head(commits), b"acart", STAMP + b"\x91\x01", b"p", STAMP + b"\x01\x23ada", b"i", STAMP, b"o", OLD]
    forward = struct.pack(">16s8sQ", OLD, bytes(8), NOW_MS + 1000)
    return {
        "session": joined([SCORE, *usual]),
        "new-session": joined([SCORE, b"m", head(), b"p", STAMP + b"\x01\x23"]),
        "unindexed": joined([b"", *usual]),
        "tombstone": joined([SCORE, b"t", head(), b"e", STAMP]),
        "forward": joined([SCORE, b"t", head(commits), b"f", forward]),
        "later-release": joined([SCORE, b"m", head(format=255)]),
    }


def _outcomes() -> dict[str, bytes]:
    numbers = struct.pack(">7Q", 0, NOW_MS * 1000, NOW_MS * 1000 - 1, NOW_MS, NOW_MS * 1000 + 1, 1_800_000, 1)
    refused = struct.pack(">7Q", 2, NOW_MS * 1000, NOW_MS * 1000, NOW_MS, NOW_MS * 1000, 1_800_000, 1)
    return {
        "applied": joined([numbers, b"\x01\x05", STAMP * 3, b"acart", b"acolor", b"\xa3red"]),
        "conflict": joined([refused, b"", STAMP, b"acart", b"acart", b"\x90"]),
    }


def _documents() -> dict[str, Document]:
    entry = StoredSession(
        key=KEY,
        incarnation=2**64 - 1,
        version=NOW_MS * 1000,
        created=NOW_MS - 1000,
        interval=1_800_000,
        deadline=NOW_MS + 80_000_000,
        expires=NOW_MS + 1_000_000,
        attributes={"cart": Attribute(NOW_MS * 1000, b"\x91\x01")},
        floor=NOW_MS * 1000 - 9,
        commits=deque([Commit(b"c" * 8, CommitOutcome(CommitStatus.APPLIED, NOW_MS * 1000, 1, 2, {"n": b"\x05"}))]),
        rotated=5,
        binding=PrincipalBinding("ada", 5),
        renewed_from=OLD,
    )
    tombstone = StoredSession(
        KEY, 1, 2, 3, 4, NOW_MS, 6, {}, tombstone_until=NOW_MS, moved=Place(SessionKey(1, OLD), 2, 3)
    )
    return {"session": Document(entry), "moving": Document(tombstone, entry)}


def _state() -> SessionRecord:
    return SessionRecord(
        key=KEY,
        incarnation=7,
        version=NOW_MS * 1000,
        created_ms=NOW_MS,
        interval_ms=1_800_000,
        deadline_ms=NOW_MS + 1,
        expires_ms=NOW_MS + 1,
        attributes=StoredAttributes({"cart": b"\x91\x01"}),
        lineage=STAMP * 2,
        binding=PrincipalBinding("ада", 5),
        renewed_from=OLD,
    )
