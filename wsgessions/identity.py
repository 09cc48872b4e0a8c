"""Session ids and what is derived from them: the store key and the log-safe ref.

An id is 43 characters of ``[A-Za-z0-9_-]``, 258 random bits, and means nothing (S-01, S-02). Its first two characters
(12 bits) choose the segment and survive rotation; the other 41 are drawn anew, so that old and new stay in one segment
and a rotation is one atomic step (E-10). The store never sees an id, only a digest of it, keyed where there is a pepper
(S-08).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

from .record import SessionKey

__all__ = ["ID_LENGTH", "Identity", "is_well_formed", "new_session_id", "successor_id"]

ID_LENGTH: Final = 43
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_BITS: Final = {character: value for value, character in enumerate(_ALPHABET)}


def new_session_id() -> str:
    """A fresh id from the operating system's generator."""
    return secrets.token_urlsafe(33)[:ID_LENGTH]


def successor_id(session_id: str) -> str:
    """The id that ``session_id`` is rotated to: same segment, 246 fresh bits."""
    return session_id[:2] + secrets.token_urlsafe(33)[: ID_LENGTH - 2]


def is_well_formed(value: str) -> bool:
    """Whether ``value`` has the shape of an id. Only such values ever reach a store (S-04)."""
    return _SHAPE.fullmatch(value) is not None


class Identity:
    """Derives store keys for one namespace and context path.

    Namespace, context and id enter the digest length-delimited, so that no two combinations ever meet (S-12, S-212),
    and one id means different sessions in different applications.

    Args:
        namespace: the setting.
        context_path: the setting.
        pepper: the key of HMAC-SHA256 in place of SHA-256; None for plain SHA-256 (S-08).
    """

    __slots__ = ("_seed",)

    def __init__(self, namespace: str, context_path: str, *, pepper: bytes | None = None) -> None:
        self._seed = hashlib.sha256() if pepper is None else hmac.new(pepper, digestmod="sha256")
        for part in (namespace.encode(), context_path.encode()):
            self._seed.update(len(part).to_bytes(4))
            self._seed.update(part)

    def key(self, session_id: str) -> SessionKey:
        """The store key of a well-formed id."""
        digest = self._seed.copy()
        digest.update(ID_LENGTH.to_bytes(4))
        digest.update(session_id.encode("ascii"))
        prefix = _BITS[session_id[0]] << 6 | _BITS[session_id[1]]
        return SessionKey(prefix, digest.digest()[:16])
