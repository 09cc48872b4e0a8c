"""The format of a file of the off-heap tier. Only the worker that made the file ever writes to it.

```
page 0         magic, clock, size, generation, lease
table          buckets of 8 words; a word names a record in the ring, 0 names none
ring           records, oldest first, wrapping around
```

Only aligned words of 64 bits are changed in place, which a reader always sees as a whole. A word of the table
holds 16 bits of the session's digest, 8 of the generation, and the place of its record. A reader of a record checks
all of it (`unpack`), so that a word that is out of date, or a record that is being overwritten, is a miss and never a
wrong answer.
"""

from __future__ import annotations

import sys
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from ...record import PrincipalBinding, SessionKey, SessionRecord, StoredAttributes

__all__ = [
    "BUCKET",
    "HEADER",
    "MAGIC",
    "PAGE",
    "SMALLEST",
    "WORD",
    "Geometry",
    "HeaderWord",
    "aligned",
    "pack",
    "unpack",
]

MAGIC: Final = b"wsgoff4" + sys.byteorder[:1].encode()
"""Kind of file, format, and byte order: a file with another beginning is not read."""
PAGE: Final = 4096
WORD: Final = 8
BUCKET: Final = Struct("@8Q")
"""The words of the table in which one session may be entered: a line of the processor's cache."""
HEADER: Final = Struct("@8s16sQ")
"""Magic, the clock of the lease, and the size of the file: the constant part."""
SMALLEST: Final = 64 * 1024
"""The smallest file, in bytes."""

_BYTES_PER_BUCKET: Final = 2048
"""There is one bucket for so many bytes of the file, so that the table takes a thirty-second of it."""
_HEAD: Final = Struct("=QQ16sQQqqqqQHQHB")
_CRC: Final = Struct("<I")
_INTACT: Final = 0x2144DF1C
"""The CRC-32 of any bytes that end with their own CRC-32: so one pass checks a record."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, bytes]).decode


class HeaderWord:
    """The variable words of the header, by their number from the start of the file."""

    GENERATION: Final = 8
    """Part of each record. An increment makes every record in the file invalid (C-1)."""
    LEASE: Final = 9
    """The end of the worker's lease, in microseconds of the lease's clock; 0 for none (C-4)."""


class Geometry(NamedTuple):
    """The offsets of the parts of a file."""

    size: int
    """The size of the whole file, in bytes."""
    buckets: int

    @classmethod
    def of(cls, size: int) -> Geometry:
        return cls(size, size // _BYTES_PER_BUCKET)

    @property
    def ring(self) -> int:
        """The first byte of the ring, which extends to the end of the file."""
        return PAGE + self.buckets * BUCKET.size


def aligned(size: int) -> int:
    """Rounded up to whole words."""
    return -size % WORD + size


def pack(record: SessionRecord, generation: int) -> bytes:
    """A record in the format of the ring: its length, numbers, lineage, principal, renewed id, attributes, checksum."""
    principal, bound = record.binding or ("", 0)
    owner = principal.encode()
    values = record.lineage + owner + record.renewed_from + _encode(record.attributes.raw)
    head = _HEAD.pack(
        _HEAD.size + len(values) + _CRC.size,
        generation,
        record.key.digest,
        record.incarnation,
        record.version,
        record.created_ms,
        record.interval_ms,
        record.deadline_ms,
        record.expires_ms,
        record.rotated,
        len(record.lineage),
        bound,
        len(owner),
        len(record.renewed_from),
    )
    return b"".join((head, values, _CRC.pack(crc32(values, crc32(head)))))


def unpack(data: bytes, key: SessionKey, generation: int) -> SessionRecord | None:
    """The record in these bytes; None if they are not an intact record of this session and generation.

    The checksum detects incomplete and damaged records. Forged bytes with a valid checksum are rejected as well.
    """
    if len(data) < _HEAD.size or crc32(data) != _INTACT:
        return None
    *head, rotated, past, bound, owner, renewed = _HEAD.unpack_from(data)
    size, written_in, digest, incarnation, version, created_ms, interval_ms, deadline_ms, expires_ms = head
    if size != len(data) or written_in != generation or digest != key.digest:
        return None
    begin = _HEAD.size + past
    end = begin + owner
    lineage, renewed_from = data[_HEAD.size : begin], data[end : end + renewed]
    try:
        principal, values = data[begin:end].decode(), StoredAttributes(_decode(data[end + renewed : -_CRC.size]))
    except (ValueError, msgspec.MsgspecError):
        return None
    times = (created_ms, interval_ms, deadline_ms, expires_ms)
    binding = PrincipalBinding(principal, bound) if principal else None
    return SessionRecord(key, incarnation, version, *times, values, rotated, lineage, binding, renewed_from)
