"""Session ids and what is derived from them: the store key and the log-safe ref.

An id is characters of ``[A-Za-z0-9_-]``, 43 of them unless the settings say otherwise: 258 random bits without any
meaning (S-01, S-02). Its first two characters (12 bits) choose the segment and survive rotation; the others are drawn
anew, so that old and new stay in one segment and a rotation is one atomic step (E-10). The store never sees an id, only
a digest of it, keyed where there is a pepper (S-08).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from ..internal.two_generation_cache import TwoGenerationCache
from ..record import SessionKey

__all__ = [
    "ID_LENGTH",
    "MAX_ID_LENGTH",
    "MIN_ID_LENGTH",
    "Identity",
    "is_well_formed",
    "new_session_id",
    "successor_id",
]

ID_LENGTH: Final = 43
"""The default."""
MIN_ID_LENGTH: Final = 24
"""The shortest id: it leaves 132 fresh bits after a rotation, which keeps the first two characters (S-01)."""
MAX_ID_LENGTH: Final = 86
"""The longest id: 516 bits. More would not help, and the cookie must stay under 200 bytes (S-26)."""
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_BITS: Final = {character: value for value, character in enumerate(_ALPHABET)}


def new_session_id(length: int = ID_LENGTH) -> str:
    """A fresh id of ``length`` characters from the operating system's generator."""
    return _random_characters(length)


def successor_id(session_id: str) -> str:
    """The id that ``session_id`` is rotated to: same segment and length, fresh bits except for the first 12."""
    return session_id[:2] + _random_characters(len(session_id) - 2)


def is_well_formed(value: str, length: int = ID_LENGTH) -> bool:
    """Whether ``value`` has the shape of an id of ``length`` characters. Only such values reach a store (S-04)."""
    return len(value) == length and value.isascii() and value.replace("-", "0").replace("_", "0").isalnum()


def _random_characters(count: int) -> str:
    # A character holds 6 bits. Rounded up to bytes, the last one that is kept is as random as the others.
    return secrets.token_urlsafe((count * 6 + 7) // 8)[:count]


class Identity:
    """Derives store keys for one namespace and context path.

    Namespace, context and id enter the digest length-delimited, so that no two combinations are equal (S-12, S-212),
    and one id means different sessions in different applications.

    Args:
        namespace: the setting.
        context_path: the setting.
        pepper: the key of HMAC-SHA256 in place of SHA-256; None for plain SHA-256 (S-08).
        remembered: how many keys are cached by their ids: the Cookie header of a browser changes with each of its
            writes, its id does not.
    """

    __slots__ = ("_lately", "_seed")

    def __init__(
        self, namespace: str, context_path: str, *, pepper: bytes | None = None, remembered: int = 512
    ) -> None:
        self._seed = hashlib.sha256() if pepper is None else hmac.new(pepper, digestmod="sha256")
        for part in (namespace.encode(), context_path.encode()):
            self._seed.update(len(part).to_bytes(4))
            self._seed.update(part)
        self._lately: TwoGenerationCache[str, SessionKey] = TwoGenerationCache(remembered)

    def key(self, session_id: str) -> SessionKey:
        """The store key of a well-formed id."""
        key = self._lately[session_id]
        if key is None:
            key = self._derived(session_id)
            self._lately.put(session_id, key)
        return key

    def _derived(self, session_id: str) -> SessionKey:
        digest = self._seed.copy()
        digest.update(len(session_id).to_bytes(4))
        digest.update(session_id.encode("ascii"))
        prefix = _BITS[session_id[0]] << 6 | _BITS[session_id[1]]
        return SessionKey(prefix, digest.digest()[:16])
