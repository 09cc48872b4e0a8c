"""The principal of a session, in the hash of its record (S-55).

The scripts write it as they write an attribute, with the version in front; no attribute can have its name (R-05). The
first 12 bits of the id are stored with it, so that a reader of the record alone, such as the reaper, knows the member
of the principal's index that belongs to it (E-9). Records of sessions without a principal have it too, with an empty
principal, for lists tell the ref of every session (E-8, S-80).
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from ....record import PrincipalBinding, SessionKey
from ....record.principal import MAX_PRINCIPAL_BYTES

__all__ = ["BOUND", "is_member", "key_of", "member_of", "owner_of", "pack_principal", "prefix_in", "read_binding"]

BOUND: Final = b"p"
"""The field: `_HEAD`, then the principal in UTF-8, empty if there is none."""

_HEAD: Final = Struct(">QH")
"""The version that bound it, and the prefix of the session's key."""
_PREFIX: Final = Struct(">H")
_PREFIXES: Final = 1 << 12
_MEMBER_SIZE: Final = _PREFIX.size + 16


def pack_principal(key: SessionKey, principal: str) -> bytes:
    """The field without the version, which the script adds."""
    return _PREFIX.pack(key.prefix) + principal.encode()


def read_binding(field: bytes) -> PrincipalBinding | None:
    """The principal; None if there is none, or no such field.

    Raises:
        ValueError: no release has written this.
    """
    if not field or len(field) == _HEAD.size:
        return None
    if not _HEAD.size < len(field) <= _HEAD.size + MAX_PRINCIPAL_BYTES:
        raise ValueError("it is too short, or too long")
    return PrincipalBinding(field[_HEAD.size :].decode(), int.from_bytes(field[:8]))


def prefix_in(field: bytes) -> int | None:
    """The first 12 bits of the id of a session; None if the field is damaged, or missing."""
    if len(field) < _HEAD.size:
        return None
    prefix = int(_HEAD.unpack_from(field)[1])
    return prefix if prefix < _PREFIXES else None


def owner_of(field: bytes, digest: bytes) -> tuple[str, SessionKey] | None:
    """The principal of a removed session, and its key; None if the field is damaged."""
    try:
        binding = read_binding(field)
    except ValueError:
        return None
    prefix = prefix_in(field)
    return None if binding is None or prefix is None else (binding.principal, SessionKey(prefix, digest))


def member_of(key: SessionKey) -> bytes:
    """The member of a session in the index of its principal: 18 bytes that contain its key."""
    return _PREFIX.pack(key.prefix) + key.digest


def is_member(member: bytes) -> bool:
    """Whether a member of an index can be one of ours; other members are ignored."""
    return len(member) == _MEMBER_SIZE and _PREFIX.unpack_from(member)[0] < _PREFIXES


def key_of(member: bytes) -> SessionKey:
    """The session of a member."""
    return SessionKey(_PREFIX.unpack_from(member)[0], member[_PREFIX.size :])
