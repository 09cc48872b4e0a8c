"""Encodes values to bytes and decodes them exactly, or raises an error.

A session holds values of the types `wsgessions.codec.refusals.SUPPORTED`, nested in any way. Values of subclasses of
these are stored as the built-in values that they are (`wsgessions.codec.plain`). Each attribute is one MessagePack
document, with the extension codes of `wsgessions.codec.tags` for types that MessagePack lacks. No part of it can name a
class, call a function, or open any file but a time zone's (S-70); pickle and its like have no part in this.

* **Exact.** A decoded value is equal and of the same built-in type, including the sign of a zero, the exponent of a
  `decimal.Decimal` and the order of a dict; all other values are rejected with the name of their type (R-02). A
  `uuid.UUID` keeps all but ``is_safe``.
* **Deterministic.** ``encode(decode(raw)) == raw`` for all bytes that `encode` wrote, and equal sets have equal bytes.
  So a change inside a value is detected by comparing bytes (R-03).
* **Open to the store's scripts.** An int of 64 bits or a float is plain MessagePack, so that a script can add to it
  (C-10).
* **Bounded.** Size, depth, members and digits are limited both ways (S-72).

The record's format version covers the format of values (R-22). A value that a later release wrote with a code unknown
here fails alone, when it is read (R-25).
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from ..errors import CodecError, SessionTooLarge
from ..internal.masked import forget_variables
from .containers import Packer, check_depth, count_members, read
from .limits import MAX_ATTRIBUTE_BYTES, MAX_DEPTH, MAX_ITEMS, MAX_NAME_BYTES, UnsupportedType, UnsupportedValue
from .plain import SCALARS, PlainCopy, ToPlain, no_further_types, plain_text
from .scan import ALWAYS_SAFE, members_in, needs_scan, starts_in
from .walk import CONTAINERS

__all__ = [
    "CONTAINERS",
    "MAX_ATTRIBUTE_BYTES",
    "MAX_NAME_BYTES",
    "RESERVED_PREFIX",
    "SCALARS",
    "ToPlain",
    "check_name",
    "decode",
    "encode",
    "is_immutable",
    "no_further_types",
    "plain_data",
    "plain_text",
]

RESERVED_PREFIX: Final = "_wsg"
"""The prefix of names that are reserved for wsgessions (R-05)."""

_SCALARS: Final = frozenset({str, int, float, bool, type(None), bytes})
_PLAIN_CONTAINERS: Final = frozenset({dict, list})
_NOT_PLAIN: Final = -1

_MOST_GOOD_NAMES: Final = 1024
_good_names: Final[set[str]] = set()
"""The size of the cache of validated names: an application has few names."""

_encode: Final = msgspec.msgpack.Encoder().encode


def check_name(name: object) -> str:
    """Validate the name of an attribute.

    Returns:
        The name; the text of one of a subclass of str, such as a member of an `enum.StrEnum`.

    Raises:
        CodecError: ``name`` is not a str, is empty or no valid Unicode, or begins with `RESERVED_PREFIX`.
        SessionTooLarge: it is longer than `MAX_NAME_BYTES` in UTF-8.
    """
    if type(name) is not str:
        if not issubclass(type(name), str):
            raise CodecError(f"the name of an attribute is a str, not {type(name).__name__}", path="")
        name = plain_text(cast("str", name))
    if name not in _good_names:
        _check_new_name(name)
        if len(_good_names) < _MOST_GOOD_NAMES:
            _good_names.add(name)
    return name


def _check_new_name(name: str) -> None:
    if not name:
        raise CodecError("the name of an attribute is never empty", path="")
    try:
        length = len(name) if name.isascii() else len(name.encode())
    except UnicodeEncodeError:
        raise CodecError("the name of an attribute holds a lone surrogate", path="") from None
    if length > MAX_NAME_BYTES:
        raise SessionTooLarge(f"the name of an attribute is longer than {MAX_NAME_BYTES} bytes", path="")
    if name.startswith(RESERVED_PREFIX):
        raise CodecError(f"names that begin with {RESERVED_PREFIX!r} are reserved", path=name, hint="choose another")


def is_immutable(value: object) -> bool:
    """Whether ``value`` can never change in place, all its members included.

    True only for values that can be stored; such a value needs no comparison at the commit (R-03).
    """
    return type(value) in SCALARS or _holds_immutables(value, MAX_DEPTH)


def _holds_immutables(value: object, levels: int) -> bool:
    if levels and (type(value) is tuple or type(value) is frozenset):
        return all(type(item) in SCALARS or _holds_immutables(item, levels - 1) for item in value)
    return False


def encode(
    value: Any,
    *,
    name: str,
    max_bytes: int = MAX_ATTRIBUTE_BYTES,
    to_plain: ToPlain | None = no_further_types,
) -> bytes:
    """The bytes of ``value``.

    Args:
        value: of the supported types or of subclasses of these, its members included.
        name: the attribute's name, for the error.
        max_bytes: the limit on the result.
        to_plain: knows further types, and the plain data that is stored in place of their values. None to reject
            subclasses too.

    Raises:
        CodecError: a part of ``value`` cannot be stored; ``path`` names the part, the hint a replacement.
        SessionTooLarge: the result would be longer than ``max_bytes``.
    """
    try:
        raw = _encode_exactly(value, to_plain)
    except UnsupportedValue as refusal:
        del value  # from here on no frame of the error holds it (S-80)
        forget_variables(refusal)
        raise CodecError(refusal.message, path=f"{name}{refusal.path}", hint=refusal.hint) from None
    except RuntimeError as error:
        del value
        forget_variables(error)
        raise CodecError("it changed while being encoded", path=name, hint="do not share it with a thread") from None
    if len(raw) > max_bytes:
        size = len(raw)
        del value, raw
        raise SessionTooLarge(f"it takes {size} bytes, more than the {max_bytes} allowed", path=name)
    return raw


def plain_data(value: Any, *, name: str, to_plain: ToPlain) -> Any:
    """A copy of ``value`` in the supported types, exactly.

    Args:
        value: of any types.
        name: the attribute's name, for the error.
        to_plain: knows further types.

    Raises:
        CodecError: a part of ``value`` has no plain data; ``path`` names the part.
    """
    try:
        return PlainCopy(to_plain).convert(value)
    except UnsupportedValue as refusal:
        del value
        forget_variables(refusal)
        raise CodecError(refusal.message, path=f"{name}{refusal.path}", hint=refusal.hint) from None


def _encode_exactly(value: Any, to_plain: ToPlain | None) -> bytes:
    kind = type(value)
    if kind in _SCALARS or (kind in _PLAIN_CONTAINERS and _plain_members(value, 1) != _NOT_PLAIN):
        try:
            return _encode(value)
        except (OverflowError, UnicodeEncodeError):
            # A large int or a lone surrogate: the full walk encodes the former and reports the path of the latter.
            return _encode(Packer().convert(value))
    try:
        return _encode(Packer().convert(value))
    except UnsupportedType as refusal:
        if to_plain is None:
            raise
        forget_variables(refusal)
    return _encode_exactly(PlainCopy(to_plain).convert(value), None)


def _plain_members(value: Any, depth: int) -> int:
    """Count the members of nested lists and dicts that msgspec encodes exactly by itself, or return `_NOT_PLAIN`."""
    members = len(value)
    if type(value) is dict:
        members *= 2
        for key in value:
            if type(key) is not str:
                return _NOT_PLAIN
        value = value.values()
    for item in value:
        kind = type(item)
        if kind not in _SCALARS:
            if kind not in _PLAIN_CONTAINERS or depth == MAX_DEPTH or members > MAX_ITEMS:
                return _NOT_PLAIN
            inside = _plain_members(item, depth + 1)
            if inside == _NOT_PLAIN:
                return _NOT_PLAIN
            members += inside
    return members if members <= MAX_ITEMS else _NOT_PLAIN


def decode(raw: bytes, *, name: str) -> Any:
    """The decoded value of ``raw``, a new object: no two calls share mutable objects (K-11).

    Args:
        raw: bytes from a store, not trusted.
        name: the attribute's name, for the error.

    Raises:
        CodecError: the bytes are corrupt, foreign, beyond a limit, or written by a later release (R-20, R-25).
    """
    try:
        if len(raw) > ALWAYS_SAFE:
            _check_size(raw)
        value = read(raw)
        if type(value) in CONTAINERS:
            _check_container(value, raw)
    except UnsupportedValue as refusal:
        del raw
        forget_variables(refusal)
        raise CodecError(refusal.message, path=name, hint=refusal.hint) from None
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        del raw
        forget_variables(error)
        raise CodecError("the stored bytes are corrupt", path=name) from None
    return value


def _check_size(raw: bytes) -> None:
    if len(raw) > MAX_ATTRIBUTE_BYTES:
        raise UnsupportedValue(f"the stored bytes are more than {MAX_ATTRIBUTE_BYTES}")
    if needs_scan(raw):
        members_in(raw)


def _check_container(value: Any, raw: bytes) -> None:
    if len(raw) > MAX_DEPTH < starts_in(raw):
        check_depth(value)
    # Duplicate keys vanish while decoding. Plain data proves itself by the bytes it would be written as.
    if not _is_written_as(value, raw) and members_in(raw) != count_members(value):
        raise UnsupportedValue("the stored bytes hold a dict with duplicate keys")


def _is_written_as(value: Any, raw: bytes) -> bool:
    try:
        return _encode(value) == raw
    except (ValueError, TypeError, OverflowError):
        return False
