"""The encoding of the arguments and answers of scripts (C-7).

`scripts/record.lua` defines the format of a session in the store. Names of attributes have the same prefix here as
there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from struct import Struct
from typing import Final

import msgspec

from ....record import (
    APPLIED,
    CommitOutcome,
    CommitStatus,
    NewSession,
    RotationTarget,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionKey,
    SessionRecord,
    StoredAttributes,
)
from ....record.history import latest
from ....record.names import field_of, shared_name
from ....store.constants import EXACT, TOMBSTONE_MS
from ..client.replies import Reply
from .metadata import HEAD, Head, ScriptStatus, read_head
from .principal import BOUND, pack_principal, read_binding
from .remembered_commits import read_lineage

__all__ = [
    "HEAD",
    "Head",
    "ScriptStatus",
    "as_fields",
    "instant",
    "milliseconds",
    "pack_commit",
    "pack_creation",
    "pack_seen",
    "read_changes",
    "read_outcome",
    "read_record",
]

_METADATA: Final = b"m"
TOMBSTONE: Final = b"t"
FORWARD: Final = b"f"
GIVEN_UP: Final = b"e"
_ROTATED: Final = b"i"
_RENEWED_FROM: Final = b"o"

_CREATION: Final = Struct(">8sQQQ")
_COMMIT: Final = Struct(">QQ8sBQIIQIqIII")
_SEEN: Final = Struct(">8sQ")
_STAMP_SIZE: Final = 8
_DIGEST_OR_NONE: Final = (0, 16)
_ATTRIBUTE: Final = b"a"
_NIL: Final = b"\xc0"
_NO_SUCCESSOR: Final = 0
_KEEP_INTERVAL: Final = -1
_APPLIED_ALONE: Final = Struct(">QQQ")
"""The answer to a commit with only version, version before and end, which is the usual one."""

_encode_number = msgspec.msgpack.Encoder().encode


_STATUSES: Final = (
    APPLIED,
    CommitStatus.GONE,
    CommitStatus.CONFLICT,
    CommitStatus.NOT_A_NUMBER,
    CommitStatus.UNKNOWN,
    CommitStatus.GONE,  # a record of a later release: the caller of `read_outcome` has raised before
    CommitStatus.GONE,  # an unreadable record is no session, and stays as it is
    CommitStatus.GONE,  # under this key; the caller of `read_outcome` sends it on
    CommitStatus.GONE,
)


# Arguments of scripts


def pack_creation(new: NewSession, not_after: int) -> list[bytes]:
    """The arguments of ``create.lua``; ``not_after`` as of `StoreClock.not_after`."""
    header = _CREATION.pack(new.incarnation.to_bytes(8), new.interval_ms, new.lifetime_ms, not_after)
    return _with_pairs([header, BOUND, pack_principal(new.key, new.principal or "")], new.attributes)


def pack_seen(seen: Seen | None) -> bytes:
    """The argument of ``load.lua``."""
    return b"" if seen is None else _SEEN.pack(seen.incarnation.to_bytes(8), seen.version)


def pack_commit(
    delta: SessionDelta, successor: RotationTarget | None, *, grace_ms: int, resend: bool, not_after: int
) -> list[bytes]:
    """The arguments of ``commit.lua``. The script changes the principal like an attribute."""
    incarnation, forward_ms, binds = _NO_SUCCESSOR, 0, None
    if successor is not None:
        incarnation, forward_ms, binds = successor.incarnation, successor.forward_ms, successor.binds
    header = _COMMIT.pack(
        delta.incarnation,
        delta.base,
        delta.commit_id,
        resend,
        not_after,
        grace_ms,
        TOMBSTONE_MS,
        incarnation,
        forward_ms,
        _KEEP_INTERVAL if delta.interval_ms is None else delta.interval_ms,
        len(delta.changed) + (binds is not None),
        len(delta.removed),
        len(delta.increments),
    )
    args = [header]
    for name, raw in delta.changed.items():
        args += (field_of(name), raw)
    if binds is not None:
        args += (BOUND, pack_principal(delta.key, binds))
    if delta.removed:
        args += map(field_of, delta.removed)
    if delta.increments:
        _with_pairs(args, {name: _number(by) for name, by in delta.increments.items()})
    if delta.guarded:
        args += map(field_of, delta.guarded)
    return args


def _with_pairs(args: list[bytes], pairs: Mapping[str, bytes]) -> list[bytes]:
    for name, raw in pairs.items():
        args.append(field_of(name))
        args.append(raw)
    return args


def _number(by: float) -> bytes:
    """``by`` for the script; if it is not exact there, a text that the script rejects as no number."""
    return _NIL if isinstance(by, int) and abs(by) >= EXACT else _encode_number(by)


# Answers of the server


def milliseconds(reply: Reply) -> int:
    """The answer to ``TIME``."""
    seconds, microseconds = reply
    return int(seconds) * 1000 + int(microseconds) // 1000


def instant(score: Reply) -> int | None:
    """The score of a member of an index, in milliseconds; None if it has none.

    Other writers to the index may have set it, to infinity even. The result is always within the range of instants.
    """
    return None if score is None else int(min(max(0.0, float(score)), EXACT - 1.0))  # a NaN is 0


def read_record(
    key: SessionKey, fields: Mapping[bytes, bytes], expires_ms: int | None, now_ms: int
) -> SessionRecord | ScriptStatus:
    """The session in the fields of its hash.

    Args:
        key: the session.
        fields: all of them; none is no session.
        expires_ms: its score in the index, or None if it has none.
        now_ms: the store's time.
    """
    if not fields or TOMBSTONE in fields:
        return ScriptStatus.REVOKED if fields and FORWARD not in fields else ScriptStatus.GONE
    head = read_head(fields.get(_METADATA, b""), now_ms)
    if isinstance(head, ScriptStatus):
        return head
    attributes = _read_attributes(fields)
    if isinstance(attributes, ScriptStatus):
        return attributes
    rotated = int.from_bytes(fields.get(_ROTATED, b""))
    try:
        binding = read_binding(fields.get(BOUND, b""))
    except ValueError:
        return ScriptStatus.UNREADABLE
    renewed_from = fields.get(_RENEWED_FROM, b"")
    sound = max(rotated, 0 if binding is None else binding.version) <= head.version
    if not sound or len(renewed_from) not in _DIGEST_OR_NONE:
        return ScriptStatus.UNREADABLE
    return SessionRecord(
        key=key,
        incarnation=int.from_bytes(head.incarnation),
        version=head.version,
        created_ms=head.created,
        interval_ms=head.interval,
        deadline_ms=head.deadline,
        expires_ms=head.idle_end() if expires_ms is None else expires_ms,
        attributes=attributes,
        rotated=rotated,
        lineage=read_lineage(head.floor, fields[_METADATA], HEAD.size, head.commits),
        binding=binding,
        renewed_from=renewed_from,
    )


def _read_attributes(fields: Mapping[bytes, bytes]) -> StoredAttributes | ScriptStatus:
    attributes: dict[str, bytes] = {}
    for field, value in fields.items():
        if field[:1] == _ATTRIBUTE:
            try:
                attributes[shared_name(field)] = value[_STAMP_SIZE:]
            except UnicodeDecodeError:
                return ScriptStatus.UNREADABLE
            if len(value) < _STAMP_SIZE:
                return ScriptStatus.UNREADABLE
    return StoredAttributes(attributes)


def as_fields(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """The fields of a hash as a script returns them: name, value, name, value."""
    values = iter(flat)
    return dict(zip(values, values, strict=True))


def read_changes(
    version: int,
    interval_ms: int,
    expires_ms: int,
    changed: Sequence[bytes],
    live: Iterable[bytes] | None,
    *,
    lineage: bytes,
) -> SessionChanges:
    """The changes in the answer of a script.

    Raises:
        ValueError: an attribute has a name that no release has written.
    """
    return SessionChanges(
        version=version,
        interval_ms=interval_ms,
        expires_ms=expires_ms,
        changed={shared_name(changed[i]): changed[i + 1] for i in range(0, len(changed), 2)},
        live=None if live is None else frozenset(map(shared_name, live)),
        lineage=latest(lineage),
    )


def read_outcome(delta: SessionDelta, reply: Reply) -> CommitOutcome:
    """The answer of ``commit.lua``.

    Raises:
        ValueError: its data of the record was not written by any release.
    """
    if type(reply) is bytes:
        return CommitOutcome(APPLIED, *_APPLIED_ALONE.unpack(reply))
    status = _STATUSES[reply[0]]
    if len(reply) == 1 or reply[0] == ScriptStatus.FORWARDED:
        return CommitOutcome(status)
    _, version, previous, expires_ms, results, names, *others = reply
    if not 0 <= version < EXACT:
        raise ValueError("a version is beyond what is exact")
    changes = None
    if others:
        present, interval_ms, changed, live, lineage = others
        changes = read_changes(present, interval_ms, expires_ms, changed, live, lineage=lineage)
    named = tuple(map(shared_name, names))
    applied = status is APPLIED
    return CommitOutcome(
        status,
        version,
        previous,
        expires_ms,
        _read_results(delta, results),
        changes,
        overwritten=named if applied else (),
        names=() if applied else named,
    )


def _read_results(delta: SessionDelta, results: bytes) -> dict[str, bytes]:
    """Each result is preceded by its length; they come in the order in which the increments were sent.

    Those of a repeated commit come from the record, so they may be damaged.
    """
    computed: dict[str, bytes] = {}
    at = 0
    for name in delta.increments if results else ():
        end = at + 1 + (results[at] if at < len(results) else len(results))
        if end > len(results):
            raise ValueError("results are cut short")
        computed[name] = results[at + 1 : end]
        at = end
    return computed
