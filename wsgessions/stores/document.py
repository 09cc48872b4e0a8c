"""A whole session as one value of a cache: the bytes, and what is done about bytes that are none (R-20, R-22)."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from ..errors import RecordTooNew
from ..record import Binding, CommitOutcome, CommitStatus, Place, SessionKey
from ..record.attribute_names import shared
from .memory_entry import Attribute, Commit, Entry

__all__ = ["Document", "Unreadable", "pack", "unpack"]

_MAGIC: Final = b"wsd"
_FORMAT: Final = 1
"""The format of documents that this release writes, and the highest that it reads."""


class Unreadable(Exception):
    """The bytes are no document of this key. Never leaves the store."""


class Document(msgspec.Struct):
    """What lies under one key."""

    entry: Entry
    heir: Entry | None = None
    """Of a tombstone that a rotation has just left: the session, until it is stored under its new key."""


class _Wire(msgspec.Struct, array_like=True, frozen=True):
    """An `Entry`. Names of attributes are bytes, since they may hold what UTF-8 does not allow."""

    prefix: int
    digest: bytes
    incarnation: int
    version: int
    created: int
    interval: int
    deadline: int
    expires: int
    attributes: list[tuple[bytes, int, bytes]]
    removed: int
    floor: int
    commits: list[tuple[bytes, int, int, int, list[tuple[bytes, bytes]]]]
    rotated: int
    tombstone_until: int | None
    moved: tuple[int, bytes, int, int] | None
    leads_until: int
    binding: tuple[str, int] | None = None
    given_up: int = 0
    renewed_from: bytes = b""


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(tuple[_Wire, _Wire | None])


def pack(document: Document) -> bytes:
    """The bytes of a document."""
    heir = None if document.heir is None else _to_wire(document.heir)
    return _MAGIC + bytes([_FORMAT]) + _encoder.encode((_to_wire(document.entry), heir))


def unpack(raw: bytes, key: SessionKey) -> Document:
    """The document of these bytes.

    Args:
        raw: what lay under the key.
        key: the key that was asked for. A document of another one is refused: it would be another visitor's session.

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
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise Unreadable from error
    if document.entry.key.digest != key.digest:
        raise Unreadable
    return document


def _to_wire(entry: Entry) -> _Wire:
    return _Wire(
        entry.key.prefix,
        entry.key.digest,
        entry.incarnation,
        entry.version,
        entry.created,
        entry.interval,
        entry.deadline,
        entry.expires,
        [(_bytes(name), version, raw) for name, (version, raw) in entry.attributes.items()],
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
    computed = [(_bytes(name), raw) for name, raw in outcome.computed.items()]
    return (commit.id, outcome.version, outcome.previous, outcome.expires_ms, computed)


def _from_wire(wire: _Wire) -> Entry:
    moved = wire.moved
    return Entry(
        key=SessionKey(wire.prefix, wire.digest),
        incarnation=wire.incarnation,
        version=wire.version,
        created=wire.created,
        interval=wire.interval,
        deadline=wire.deadline,
        expires=wire.expires,
        attributes={shared(_text(name)): Attribute(version, raw) for name, version, raw in wire.attributes},
        removed=wire.removed,
        floor=wire.floor,
        commits=deque(_from_commit(*commit) for commit in wire.commits),
        rotated=wire.rotated,
        tombstone_until=wire.tombstone_until,
        moved=None if moved is None else Place(SessionKey(moved[0], moved[1]), moved[2], moved[3]),
        leads_until=wire.leads_until,
        binding=None if wire.binding is None else Binding(*wire.binding),
        given_up=wire.given_up,
        renewed_from=wire.renewed_from,
    )


def _from_commit(
    commit_id: bytes, version: int, previous: int, expires: int, computed: list[tuple[bytes, bytes]]
) -> Commit:
    results = {_text(name): raw for name, raw in computed}
    return Commit(commit_id, CommitOutcome(CommitStatus.APPLIED, version, previous, expires, results))


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")
