"""Segments: the partitions of the store, each a hash tag and so one slot of a cluster (E-1).

All data of a session is in one segment, so that one script can change all of it, and segments are spread evenly
over the slots, so that shards share the load evenly. The first 12 bits of an id choose the segment (S-01).
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from functools import lru_cache
from itertools import count, product
from typing import Final, NamedTuple

from ....record import SessionKey

__all__ = ["DEFAULT_CONCURRENCY", "MAX_CONCURRENCY", "Segment", "Segments", "application_prefix", "slot", "tags"]

SLOTS: Final = 16_384
DEFAULT_CONCURRENCY: Final = 64
"""The default number of segments on one primary."""
MAX_CONCURRENCY: Final = 4_096
"""The largest number: as many as the 12 bits of an id can distinguish."""

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def slot(tag: str) -> int:
    """The slot of a cluster that keys with this hash tag belong to: CRC-16/XMODEM modulo 16 384."""
    return binascii.crc_hqx(tag.encode(), 0) % SLOTS


@lru_cache(maxsize=8)
def tags(concurrency: int) -> tuple[str, ...]:
    """One hash tag for each of ``concurrency`` equal ranges of slots: the shortest that falls into the range.

    The numbers 0 to 255 as tags would put 12 to 21 of them into each sixteenth of the slots. The choice is part of the
    stored format: the same number of segments must always give the same tags.
    """
    found: dict[int, str] = {}
    for length in count(1):
        for characters in product(_ALPHABET, repeat=length):
            tag = "".join(characters)
            found.setdefault(slot(tag) * concurrency // SLOTS, tag)
            if len(found) == concurrency:
                return tuple(found[place] for place in range(concurrency))
    raise AssertionError  # pragma: no cover - `count` never ends


class Segment(NamedTuple):
    """The keys of one segment."""

    record_prefix: bytes
    """The prefix of a session's digest in the name of its record."""
    expiries: bytes
    """The index: the sorted set of sessions by the time they expire (E-2)."""
    claim: bytes
    """In the first segment of a script that looks at several: the node that sweeps them, and until when (E-4)."""
    members: bytes
    """In the first segment of a primary: the nodes that keep copies of its sessions (C-6)."""
    hint: bytes
    """In the same segment: written to ask all nodes for an immediate heartbeat (C-15)."""
    canary_prefix: bytes
    """In the same segment: the prefix of a node's name in the name of its canary, see `coherence.heartbeat`."""
    fence: bytes
    """In the same segment: written for replicas to confirm (C-15b)."""
    principals_prefix: bytes
    """The prefix of the digest of a principal in the name of its index (E-9)."""
    settings: bytes
    """In the first segment: the settings of the processes, to be compared (C-27)."""

    def record(self, key: SessionKey) -> bytes:
        """The name of a session's record."""
        return self.record_prefix + key.digest


class Segments:
    """The segments of one application: which one a session belongs to, and the names of its keys (C-7).

    Args:
        namespace: the setting of that name; the first part of every key.
        context_path: the application; its digest is the second part, so that a path of any form fits into a key.
        concurrency: the number of segments, 1 to 4 096.
    """

    __slots__ = ("_all", "_number")

    def __init__(self, namespace: str, context_path: str, concurrency: int) -> None:
        prefix = application_prefix(namespace, context_path)
        self._all = tuple(_segment(f"{prefix}{{{tag}}}:") for tag in tags(concurrency))
        self._number: Final = len(self._all)

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._all)

    def of(self, key: SessionKey) -> Segment:
        """The segment that holds a session."""
        return self._all[key.prefix % self._number]

    def keys_of(self, key: SessionKey) -> tuple[bytes, bytes]:
        """The names of a session's record and of the index of its segment."""
        segment = self._all[key.prefix % self._number]
        return segment.record_prefix + key.digest, segment.expiries

    def index_of(self, principal: str) -> bytes:
        """The name of the index of a principal's sessions (E-9). By digest: a principal may be long, and is a name."""
        digest = hashlib.sha256(principal.encode()).digest()[:16]
        return self._all[int.from_bytes(digest[:2]) % self._number].principals_prefix + digest


def application_prefix(namespace: str, context_path: str) -> str:
    """The prefix of the keys of one application (S-12).

    128 bits of the digest, since an application with another path of the same digest could list and end this one's
    sessions.
    """
    digest = hashlib.sha256(context_path.encode()).digest()[:16]
    return f"{namespace}:{urlsafe_b64encode(digest).rstrip(b'=').decode()}:"


def _segment(prefix: str) -> Segment:
    names = (f"{prefix}{kind}".encode() for kind in ("s:", "x", "c", "n", "h", "k:", "f", "p:", "o"))
    return Segment(*names)
