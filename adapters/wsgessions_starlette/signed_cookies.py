"""Reads the signed cookies of Starlette's own `SessionMiddleware`, and of starsessions. It never writes one."""

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
"""The separator of value, time and signature; no id of wsgessions contains it."""
_FOR_THE_BROWSER: Final = timedelta(days=360)
"""The time for which starsessions accepts a cookie that ends with the browser."""


@masked
class Found(NamedTuple):
    """The signed cookies in the headers of a request, verified or not."""

    candidates: list[bytes]
    headers: list[tuple[bytes, bytes]]
    """The headers without them."""


class SignedCookies:
    """Finds and verifies the cookies of one configuration of Starlette's middleware.

    Args:
        name: the cookie's name.
        secret_key: the key that signs them.
        max_age: seconds since the last change after which a cookie has expired; None for never.
    """

    def __init__(self, name: str, secret_key: str, *, max_age: int | None) -> None:
        self._name = name.encode("latin-1")
        self._signer = TimestampSigner(secret_key)
        self._max_age = max_age

    def find(self, headers: Iterable[tuple[bytes, bytes]]) -> Found | None:
        """The cookies in the header list of an ASGI scope that look like signed ones; None without any."""
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
        """The session in a cookie; None if it is forged, too old, empty or not a session."""
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
        """See `wsgessions.migration.LegacySessions.remove`: there is only the cookie."""


class StarsessionsCookies(SignedCookies):
    """The signed cookies of starsessions' ``CookieStore``.

    Args:
        secret_key: as for the store.
        lifetime: as for the library's middleware, in seconds or as a timedelta; 0 for a cookie that ends with the
            browser.
        name: the cookie's name.
    """

    def __init__(self, secret_key: str, *, lifetime: float | timedelta = 0, name: str = "session") -> None:
        kept = lifetime if isinstance(lifetime, timedelta) else timedelta(seconds=lifetime)
        super().__init__(name, secret_key, max_age=int((kept or _FOR_THE_BROWSER).total_seconds()))

    def verified(self, cookie: bytes) -> dict[str, Any] | None:
        """See `SignedCookies.verified`."""
        content = super().verified(cookie)
        return None if content is None else without_metadata(content)
