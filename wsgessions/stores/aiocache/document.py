"""A whole session as one value of a cache: its encoding, and the handling of invalid bytes (R-20, R-22)."""

from __future__ import annotations

from collections import deque
from typing import Annotated, Final, TypeAlias

import msgspec

from ...errors import RecordTooNew
from ...record import CommitOutcome, CommitStatus, Place, PrincipalBinding, SessionKey
from ...record.names import shared
from ...record.principal import MAX_PRINCIPAL_BYTES
from ...store.constants import COMMITS_REMEMBERED, EXACT
from ..memory.entry import Attribute, Commit, StoredSession

__all__ = ["Document", "Unreadable", "pack", "unpack"]

_MAGIC: Final = b"wsd"
_FORMAT: Final = 1
"""The format of documents that this release writes, and the highest that it reads."""


class Unreadable(Exception):
    """The bytes are not a document of this key. Never leaves the store."""


class Document(msgspec.Struct):
    """The content of one key."""

    entry: StoredSession
    heir: StoredSession | None = None
    """In a tombstone of a rotation in progress: the session, until it is stored under its new key."""


_Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=EXACT)]
"""A time or a version."""
_Prefix: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=4096)]
_Digest: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
_Incarnation: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
_Principal: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
_Commit: TypeAlias = tuple[bytes, _Number, _Number, _Number, list[tuple[bytes, bytes]]]


class _Wire(msgspec.Struct, array_like=True, frozen=True):
    """A `StoredSession`, with the ranges that a store of ours writes (R-20)."""

    prefix: _Prefix
    digest: _Digest
    incarnation: _Incarnation
    version: _Number
    created: _Number
    interval: _Number
    deadline: _Number
    expires: _Number
    attributes: list[tuple[bytes, _Number, bytes]]
    removed: _Number
    floor: _Number
    commits: Annotated[list[_Commit], msgspec.Meta(max_length=COMMITS_REMEMBERED)]
    rotated: _Number
    tombstone_until: _Number | None
    moved: tuple[_Prefix, _Digest, _Incarnation, _Number] | None
    leads_until: _Number
    binding: tuple[_Principal, _Number] | None = None
    given_up: _Number = 0
    renewed_from: Annotated[bytes, msgspec.Meta(max_length=16)] = b""


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(tuple[_Wire, _Wire | None])


def pack(document: Document) -> bytes:
    """The bytes of a document."""
    heir = None if document.heir is None else _to_wire(document.heir)
    return _MAGIC + bytes([_FORMAT]) + _encoder.encode((_to_wire(document.entry), heir))


def unpack(raw: bytes, key: SessionKey) -> Document:
    """The document of these bytes.

    Args:
        raw: the value under the key.
        key: the requested key. A document of another one is rejected: it would be another visitor's session.

    Raises:
        Unreadable: these bytes were not made by `pack` for this key.
        RecordTooNew: a later release has written them.
    """
    if not raw.startswith(_MAGIC) or len(raw) <= len(_MAGIC):
        raise Unreadable
    if raw[len(_MAGIC)] > _FORMAT:
        raise RecordTooNew("a session was written by a later release", hint="update this server")
    try:
        entry, heir = _decoder.decode(memoryview(raw)[len(_MAGIC) + 1 :])
        document = Document(_from_wire(entry), None if heir is None else _from_wire(heir))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unreadable from error
    if document.entry.key.digest != key.digest:
        raise Unreadable
    return document


def _to_wire(entry: StoredSession) -> _Wire:
    return _Wire(
        entry.key.prefix,
        entry.key.digest,
        entry.incarnation,
        entry.version,
        entry.created,
        entry.interval,
        entry.deadline,
        entry.expires,
        [(name.encode(), version, raw) for name, (version, raw) in entry.attributes.items()],
        entry.removed,
        entry.floor,
        [_to_commit(commit) for commit in entry.commits],
        entry.rotated,
        entry.tombstone_until,
        None if entry.moved is None else _to_place(entry.moved),
        entry.leads_until,
        entry.binding,
        entry.given_up,
        entry.renewed_from,
    )


def _to_place(place: Place) -> tuple[int, bytes, int, int]:
    return (place.key.prefix, place.key.digest, place.incarnation, place.rotated)


def _to_commit(commit: Commit) -> tuple[bytes, int, int, int, list[tuple[bytes, bytes]]]:
    outcome = commit.outcome
    computed = [(name.encode(), raw) for name, raw in outcome.computed.items()]
    return (commit.id, outcome.version, outcome.previous, outcome.expires_ms, computed)


def _from_wire(wire: _Wire) -> StoredSession:
    if not _is_sound(wire):
        raise ValueError("the numbers contradict each other")
    moved = wire.moved
    return StoredSession(
        key=SessionKey(wire.prefix, wire.digest),
        incarnation=wire.incarnation,
        version=wire.version,
        created=wire.created,
        interval=wire.interval,
        deadline=wire.deadline,
        expires=wire.expires,
        attributes={shared(name.decode()): Attribute(version, raw) for name, version, raw in wire.attributes},
        removed=wire.removed,
        floor=wire.floor,
        commits=deque(_from_commit(*commit) for commit in wire.commits),
        rotated=wire.rotated,
        tombstone_until=wire.tombstone_until,
        moved=None if moved is None else Place(SessionKey(moved[0], moved[1]), moved[2], moved[3]),
        leads_until=wire.leads_until,
        binding=None if wire.binding is None else PrincipalBinding(*wire.binding),
        given_up=wire.given_up,
        renewed_from=wire.renewed_from,
    )


def _is_sound(wire: _Wire) -> bool:
    """Checks beyond types and ranges; see `wsgessions.stores.valkey.format.metadata.read_head`."""
    principal, bound = wire.binding or ("", 0)
    in_order = wire.created <= wire.deadline and max(wire.rotated, bound) <= wire.version
    return in_order and len(wire.renewed_from) in (0, 16) and len(principal.encode()) <= MAX_PRINCIPAL_BYTES


def _from_commit(
    commit_id: bytes, version: int, previous: int, expires: int, computed: list[tuple[bytes, bytes]]
) -> Commit:
    results = {name.decode(): raw for name, raw in computed}
    return Commit(commit_id, CommitOutcome(CommitStatus.APPLIED, version, previous, expires, results))
