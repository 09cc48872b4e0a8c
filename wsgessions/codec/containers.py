"""Converts whole values to and from types that msgspec encodes exactly: the walk over containers, in both
directions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Final

import msgspec
from msgspec.msgpack import Ext

from .limits import MAX_DEPTH, UnsupportedValue
from .refusals import key_step, unsupported
from .scalars import SCALAR_PACKERS, SCALAR_READERS
from .tags import FROZENSET, INT64, MAPPING, NATIVE_KEYS, NESTING_TAGS, SET, TUPLE
from .walk import CONTAINERS, ContainerReader, Walk, check_hashes

__all__ = ["Packer", "check_depth", "count_members", "read"]

_NATIVE_SCALARS: Final = frozenset({bytes, float, bool, type(None)})

_encode: Final = msgspec.msgpack.Encoder().encode


class Packer(Walk):
    """Converts one value to types that msgspec encodes exactly."""

    __slots__ = ()

    def convert(self, value: Any, depth: int = 0) -> Any:
        kind = type(value)
        if kind is str:
            return _checked(value)
        if kind in _NATIVE_SCALARS or (kind is int and value in INT64):
            return value
        if kind in CONTAINERS:
            return self.container(kind, value, depth)
        if kind in SCALAR_PACKERS:
            code, payload = SCALAR_PACKERS[kind]
            return Ext(code, payload(value))
        raise unsupported(value)

    def fixed(self, value: Iterable[Any], depth: int) -> Ext:
        return Ext(TUPLE, _encode(self.sequence(value, depth)))

    def unordered(self, value: Collection[Any], depth: int, *, code: int) -> Ext:
        check_hashes(value)
        members = sorted(_encode(self.member(item, depth, "{}")) for item in value)
        return Ext(code, _encode([msgspec.Raw(member) for member in members]))

    def mapping(self, value: dict[Any, Any], depth: int) -> dict[Any, Any] | Ext:
        pairs = [
            (self.member(key, depth, "{key}"), self.member(item, depth, key_step(key))) for key, item in value.items()
        ]
        if NATIVE_KEYS.issuperset(type(key) for key, _ in pairs):
            return dict(pairs)
        check_hashes(value)
        return Ext(MAPPING, _encode([part for pair in pairs for part in pair]))

    containers: ClassVar[Mapping[type, ContainerReader]] = {
        list: Walk.sequence,
        tuple: fixed,
        dict: mapping,
        set: partial(unordered, code=SET),
        frozenset: partial(unordered, code=FROZENSET),
    }


def _checked(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnsupportedValue(
            "a str with a lone surrogate cannot be stored", "store bytes, or clean the text"
        ) from None
    return text


def _read_extension(depth: int, code: int, payload: memoryview) -> Any:
    if (scalar := SCALAR_READERS.get(code)) is not None:
        return scalar(bytes(payload))
    if code not in NESTING_TAGS:
        raise UnsupportedValue(f"its type, extension code {code}, is not known to this release", "upgrade wsgessions")
    if depth >= MAX_DEPTH:
        raise UnsupportedValue(f"the stored bytes nest deeper than {MAX_DEPTH} levels")
    members = _DECODERS[depth + 1].decode(payload)
    if type(members) is not list:
        raise UnsupportedValue("the stored bytes hold a malformed container")
    return _READERS[code](members)


def _read_unordered(kind: Callable[[list[Any]], Any], members: list[Any]) -> Any:
    check_hashes(members)
    value = kind(members)
    if len(value) != len(members):
        raise UnsupportedValue("the stored bytes hold a set with duplicates")
    return value


def _read_mapping(members: list[Any]) -> dict[Any, Any]:
    check_hashes(members[::2])
    value = dict(zip(members[::2], members[1::2], strict=True))
    if 2 * len(value) != len(members):
        raise UnsupportedValue("the stored bytes hold a dict with duplicate keys")
    return value


_READERS: Final[dict[int, Callable[[list[Any]], Any]]] = {
    TUPLE: tuple,
    SET: partial(_read_unordered, set),
    FROZENSET: partial(_read_unordered, frozenset),
    MAPPING: _read_mapping,
}

# One decoder for each level of nesting, so that the depth of hostile bytes is known while they are decoded.
_DECODERS: Final = [msgspec.msgpack.Decoder(ext_hook=partial(_read_extension, depth)) for depth in range(MAX_DEPTH + 1)]

read: Final = _DECODERS[0].decode
"""Decode bytes that `codec.scan.needs_scan` trusts. Raises `UnsupportedValue`, or what a constructor raises."""


def check_depth(value: Any, depth: int = 1) -> None:
    """Reject a decoded container that nests deeper than `MAX_DEPTH`; a tuple may be a key."""
    if depth > MAX_DEPTH:
        raise UnsupportedValue(f"the stored bytes nest deeper than {MAX_DEPTH} levels")
    for item in (*value, *value.values()) if type(value) is dict else value:
        if type(item) in CONTAINERS:
            check_depth(item, depth + 1)


def count_members(value: Any) -> int:
    """The members of all containers in a decoded value, a pair of a dict counted as two."""
    if type(value) not in CONTAINERS:
        return 0
    parts = [*value.keys(), *value.values()] if type(value) is dict else value
    return len(parts) + sum(map(count_members, parts))
