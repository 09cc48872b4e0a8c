"""Reads the signed cookies in which Starlette's own `SessionMiddleware` keeps sessions. Nothing here writes one."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable
from typing import Any, NamedTuple

try:
    from itsdangerous import BadSignature, TimestampSigner
except ModuleNotFoundError as _missing:
    raise ImportError("reading signed cookies needs itsdangerous: pip install itsdangerous") from _missing

from wsgessions.cookie import MAX_COOKIE_BYTES

__all__ = ["Found", "SignedCookies"]

_SEPARATOR = b"."
"""Of value, time and signature; no id of ours has one."""


class Found(NamedTuple):
    """Signed cookies among the headers of a request; genuine or not."""

    candidates: list[bytes]
    headers: list[tuple[bytes, bytes]]
    """The headers without them."""


class SignedCookies:
    """Finds and verifies the cookies of one configuration of Starlette's middleware.

    Args:
        name: the cookie's name.
        secret_key: what they are signed with.
        max_age: seconds since the last change after which a cookie counts no more; None for never.
    """

    def __init__(self, name: str, secret_key: str, *, max_age: int | None) -> None:
        self._name = name.encode("latin-1")
        self._signer = TimestampSigner(secret_key)
        self._max_age = max_age

    def find(self, headers: Iterable[tuple[bytes, bytes]]) -> Found | None:
        """What looks like such cookies in the header list of an ASGI scope; None if nothing does."""
        candidates: list[bytes] = []
        rest: list[tuple[bytes, bytes]] = []
        for name, value in headers:
            if name == b"cookie" and self._name in value and len(value) <= MAX_COOKIE_BYTES:
                kept = [pair for pair in value.split(b";") if not self._take(pair, candidates)]
                if kept:
                    rest.append((name, b";".join(kept)))
            else:
                rest.append((name, value))
        return Found(candidates, rest) if candidates else None

    def _take(self, pair: bytes, candidates: list[bytes]) -> bool:
        name, _, value = pair.partition(b"=")
        value = value.strip(b' \t"')
        if name.strip(b" \t") != self._name or _SEPARATOR not in value:
            return False
        candidates.append(value)
        return True

    def verified(self, cookie: bytes) -> dict[str, Any] | None:
        """The session in a cookie; None if it is tampered with, too old, empty or no session."""
        try:
            data = self._signer.unsign(cookie, max_age=self._max_age)
            content = json.loads(b64decode(data))
        except (BadSignature, ValueError):
            return None
        return content if isinstance(content, dict) and content else None
