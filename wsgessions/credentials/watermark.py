"""The watermark: the state of its session that the browser has already seen, in a cookie of its own (C-11).

It is a lower bound for the state that a server may show to that browser, authenticated but not encrypted. Lost, old,
foreign or forged watermarks are all the same: unknown, which costs one read and never a session.

Wire form, base64url without padding, 48 characters::

    format (1)  key id (1)  node hint (2)  incarnation (8)  version (8)  MAC (16)

After a rotation of unknown outcome the cookie holds a *move* in its place, 24 characters and the new id::

    format (1)  key id (1)  MAC (16), which covers the old KEY and the new id  |  new id, as it is

It leads from the old id to the session under its new one, and only the client with the unknown outcome has it: for any
other client the old id, which may have been planted, leads nowhere (C-23, S-06). The id gives access, not the MAC: the
key of the MAC may be in the store, and readers of the store know KEYs, but no ids (S-08).
"""

from __future__ import annotations

import hashlib
import secrets
import struct
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import Final

from ..internal.after_fork import renew_in_children
from ..internal.two_generation_cache import TwoGenerationCache
from ..record import SessionKey
from ..record.struct import Struct
from .identity import MIN_ID_LENGTH, is_well_formed

__all__ = ["WATERMARK_LENGTH", "Watermark", "WatermarkSeal"]

WATERMARK_LENGTH: Final = 48
_FORMAT: Final = 1
_MOVE_FORMAT: Final = 2
_MOVE: Final = struct.Struct(">BB")
_SEALED_LENGTH: Final = 24
"""The number of characters of a move before the id."""
_BODY: Final = struct.Struct(">BBHQQ")
_MAC_SIZE: Final = 16
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_PURPOSE: Final = b"wsgessions:mark"


class Watermark(Struct, frozen=True, gc=False):
    """The newest state that a browser is known to have seen."""

    incarnation: int
    version: int
    node: int
    """A hint at the process that served it: 16 random bits, drawn per process (C-14)."""


class WatermarkSeal:
    """Makes and checks watermarks with a ring of keys: the first one signs, all of them verify.

    Args:
        keys: at least one, each of 32 or more random bytes.
        node: this process's hint; drawn if not given.
        remembered: how many of the latest authentic watermarks are recognised without a check: a client that sends its
            own in a header of its own sends it with each request.
    """

    def __init__(self, keys: Sequence[bytes], *, node: int | None = None, remembered: int = 512) -> None:
        self.node: int = _drawn_node() if node is None else node
        if node is None:
            renew_in_children(self)
        self._ring = {_key_id(key): _begun_mac(_mac_key(key)) for key in reversed(keys)}
        self._signing_id = _key_id(keys[0])
        self._signing = self._ring[self._signing_id]
        self._authentic: TwoGenerationCache[str, Watermark] = TwoGenerationCache(remembered)

    def renew_after_fork(self) -> None:
        """Another process is another node: its hint is drawn anew (C-21)."""
        self.node = _drawn_node()

    def seal(self, incarnation: int, version: int) -> str:
        """The cookie value for this state."""
        body = _BODY.pack(_FORMAT, self._signing_id, self.node, incarnation, version)
        digest = self._signing.copy()  # as `_mac`, without a call for each commit
        digest.update(body)
        return b2a_base64(body + digest.digest(), newline=False).translate(_URL_SAFE).decode("ascii")

    def unseal(self, value: str) -> Watermark | None:
        """The watermark in a cookie value, or None if it was not made by one of our keys."""
        known = self._authentic[value]
        if known is not None:
            return known
        if len(value) != WATERMARK_LENGTH:
            return None
        raw = _decoded(value)
        body, mac = raw[: _BODY.size], raw[_BODY.size :]
        if len(raw) != _BODY.size + _MAC_SIZE:
            return None
        form, key_id, node, incarnation, version = _BODY.unpack(body)
        begun = self._ring.get(key_id)
        if form != _FORMAT or begun is None or not secrets.compare_digest(_mac(begun, body), mac):
            return None
        watermark = Watermark(incarnation, version, node)
        self._authentic.put(value, watermark)
        return watermark

    def seal_move(self, old: SessionKey, new_id: str) -> str:
        """The cookie value that leads from the old key of a session to its new id, if it has moved there (C-23)."""
        head = _MOVE.pack(_MOVE_FORMAT, self._signing_id)
        sealed = head + _mac(self._signing, _moving(head, old, new_id))
        return b2a_base64(sealed, newline=False).translate(_URL_SAFE).decode("ascii") + new_id

    def unseal_move(self, value: str, old: SessionKey) -> str | None:
        """The id that the session may have moved to; None if none of the keys has sealed it for this old key."""
        raw, new_id = _decoded(value[:_SEALED_LENGTH]), value[_SEALED_LENGTH:]
        is_id = len(new_id) >= MIN_ID_LENGTH and is_well_formed(new_id, len(new_id))
        if len(raw) != _MOVE.size + _MAC_SIZE or not is_id:
            return None
        head, mac = raw[: _MOVE.size], raw[_MOVE.size :]
        form, key_id = _MOVE.unpack(head)
        begun = self._ring.get(key_id)
        if form != _MOVE_FORMAT or begun is None:
            return None
        return new_id if secrets.compare_digest(_mac(begun, _moving(head, old, new_id)), mac) else None


def _decoded(value: str) -> bytes:
    """The bytes of a cookie value; none if it is not base64url."""
    if not value.isascii():
        return b""
    try:
        return a2b_base64(value.encode("ascii").translate(_STANDARD))
    except ValueError:
        return b""


def _moving(head: bytes, old: SessionKey, new_id: str) -> bytes:
    return head + old.digest + new_id.encode("ascii")


def _drawn_node() -> int:
    return secrets.randbits(16)


def _begun_mac(key: bytes) -> hashlib.blake2b:
    """A digest that has processed the key already."""
    return hashlib.blake2b(digest_size=_MAC_SIZE, key=key, person=_PURPOSE)


def _mac(begun: hashlib.blake2b, body: bytes) -> bytes:
    digest = begun.copy()
    digest.update(body)
    return digest.digest()


def _mac_key(key: bytes) -> bytes:
    """Derives a key for this purpose only, so that it is independent of other uses of the secret."""
    return hashlib.blake2b(key, digest_size=32, person=_PURPOSE).digest()


def _key_id(key: bytes) -> int:
    return hashlib.blake2b(key, digest_size=1, person=b"wsgessions:keyid").digest()[0]
