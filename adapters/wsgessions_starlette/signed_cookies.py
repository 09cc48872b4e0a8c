"""Reads the signed cookies of Starlette's own `SessionMiddleware`, and of starsessions. Nothing here writes one."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

try:
    from itsdangerous import BadSignature, TimestampSigner
except ModuleNotFoundError as _missing:
    raise ImportError("reading signed cookies needs itsdangerous: pip install itsdangerous") from _missing

from wsgessions.internal.masked import masked
from wsgessions.migration.starsessions import without_metadata
from wsgessions.web import Scope
from wsgessions.web.cookies import MAX_COOKIE_BYTES

__all__ = ["Found", "SignedCookies", "StarsessionsCookies"]

_SEPARATOR: Final = b"."
"""Of value, time and signature; no id of ours has one."""
_FOR_THE_BROWSER: Final = timedelta(days=360)
"""For how long starsessions takes a cookie that ends with the browser."""


@masked
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

    async def read(self, presented: str, scope: Scope) -> Mapping[str, Any] | None:
        """See `wsgessions.migration.LegacySessions.read`."""
        return self.verified(presented.encode("latin-1"))

    async def remove(self, presented: str) -> None:
        """See `wsgessions.migration.LegacySessions.remove`: there is nothing but the cookie."""


class StarsessionsCookies(SignedCookies):
    """The signed cookies of starsessions' ``CookieStore``.

    Args:
        secret_key: as for the store.
        lifetime: as for the library's middleware, in seconds or as a timedelta; 0 for until the browser is closed.
        name: the cookie's name.
    """

    def __init__(self, secret_key: str, *, lifetime: float | timedelta = 0, name: str = "session") -> None:
        kept = lifetime if isinstance(lifetime, timedelta) else timedelta(seconds=lifetime)
        super().__init__(name, secret_key, max_age=int((kept or _FOR_THE_BROWSER).total_seconds()))

    def verified(self, cookie: bytes) -> dict[str, Any] | None:
        """See `SignedCookies.verified`."""
        content = super().verified(cookie)
        return None if content is None else without_metadata(content)
