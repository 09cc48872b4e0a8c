"""An exact scan of MessagePack bytes without decoding, for bytes that must be checked first (S-72).

It goes token by token and keeps one number per open container, so that hostile bytes cost time in proportion to the
limits, and no memory. Ordinary values are not scanned: `needs_scan` bounds them at memory speed.
"""

from __future__ import annotations

from typing import Final

from .limits import MAX_DEPTH, MAX_ITEMS, UnsupportedValue
from .tags import NESTING_TAGS

__all__ = ["ALWAYS_SAFE", "members_in", "needs_scan", "starts_in"]

ALWAYS_SAFE: Final = 1_000
"""So many nested containers do not exhaust a small stack (512 KiB), whatever the recursion limit is set to. Nor do so
many bytes."""

_STARTS: Final = bytes(range(0x80, 0xA0)) + b"\xc7\xc8\xc9\xd4\xd5\xd6\xd7\xd8\xdc\xdd\xde\xdf"
"""The bytes that can begin a container or an extension."""
_MAPS: Final = frozenset({*range(0x80, 0x90), 0xDE, 0xDF})

_FIXED_LENGTHS: Final = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_COUNTED_LENGTHS: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_CONTAINERS: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
_COUNTED_EXTENSIONS: Final = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_FIXED_EXTENSIONS: Final = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}

_LEAF: Final = -1


def needs_scan(raw: bytes) -> bool:
    """Whether ``raw``, longer than `ALWAYS_SAFE`, could exhaust the stack when decoded, or hold too many members."""
    return len(raw) > MAX_ITEMS or starts_in(raw) > ALWAYS_SAFE


def starts_in(raw: bytes) -> int:
    """How many containers there can be in ``raw`` at most, and hence how deep they can nest."""
    return len(raw) - len(raw.translate(None, _STARTS))


def members_in(raw: bytes) -> int:
    """The number of members of all containers in ``raw``, a pair of a map counted as two.

    Raises:
        UnsupportedValue: a limit on depth or members is exceeded, a map has a key that `encode` never writes there, or
            the bytes are truncated.
    """
    try:
        return _scan(raw)
    except IndexError:
        raise UnsupportedValue("the stored bytes are truncated") from None


def _scan(raw: bytes) -> int:
    position, total = 0, 0
    left, maps = [1], [False]  # members still to come, of each open container, and whether it is a map
    while left:
        if not left[-1]:
            left.pop()
            maps.pop()
            continue
        head = raw[position]
        if maps[-1] and left[-1] % 2 == 0 and head in _STARTS:
            raise UnsupportedValue("the stored bytes hold a malformed dict")  # its keys would reach a dict uncounted
        left[-1] -= 1
        position, members = _token(raw, position)
        if members != _LEAF:
            total += members
            if len(left) > MAX_DEPTH:
                raise UnsupportedValue(f"the stored bytes nest deeper than {MAX_DEPTH} levels")
            if total > MAX_ITEMS:
                raise UnsupportedValue(f"the stored bytes hold more than {MAX_ITEMS} items")
            left.append(members)
            maps.append(head in _MAPS)
    return total


def _token(raw: bytes, position: int) -> tuple[int, int]:
    """Read one token: returns the start of the next one, and the number of members if it opens a container."""
    head = raw[position]
    position += 1
    if head < 0x80 or head >= 0xE0:
        return position, _LEAF
    if head < 0x90:
        return position, 2 * (head & 0x0F)
    if head < 0xA0:
        return position, head & 0x0F
    if head < 0xC0:
        return position + (head & 0x1F), _LEAF
    return _long_token(raw, position, head)


def _long_token(raw: bytes, position: int, head: int) -> tuple[int, int]:
    """The tokens with a length in separate bytes, or with a length by their type."""
    if head in _COUNTED_LENGTHS:
        width = _COUNTED_LENGTHS[head]
        return position + width + _number(raw, position, width), _LEAF
    if head in _CONTAINERS:
        width, per_member = _CONTAINERS[head]
        return position + width, per_member * _number(raw, position, width)
    if head in _COUNTED_EXTENSIONS:
        width = _COUNTED_EXTENSIONS[head]
        return _extension(raw, position + width, _number(raw, position, width))
    if head in _FIXED_EXTENSIONS:
        return _extension(raw, position, _FIXED_EXTENSIONS[head])
    return position + _FIXED_LENGTHS.get(head, 0), _LEAF


def _extension(raw: bytes, position: int, length: int) -> tuple[int, int]:
    """One of our tags: for a tag with an array the scan enters the array, so that both count as one container."""
    code, payload = raw[position], position + 1
    if code in NESTING_TAGS and length and (0x90 <= raw[payload] <= 0x9F or raw[payload] in (0xDC, 0xDD)):
        return _token(raw, payload)
    return payload + length, _LEAF


def _number(raw: bytes, position: int, width: int) -> int:
    return int.from_bytes(raw[position : position + width])
