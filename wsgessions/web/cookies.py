"""The two cookies: reading them from a request in one scan, and writing them (C-11, S-20..S-33).

The id cookie contains the plain id; the watermark cookie, with the same name and ``-v`` appended, what the browser has
seen. They are separate so that a late response for an old id can never overwrite the credential of a newer login
(S-209).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from ..credentials.identity import ID_LENGTH, is_well_formed
from ..credentials.presented import PRESENT, CredentialStatus, PresentedCredentials, ResolvedCredentials
from ..internal.two_generation_cache import TwoGenerationCache
from . import octets

if TYPE_CHECKING:
    from ..settings import CookieSettings

__all__ = ["MAX_COOKIE_BYTES", "MAX_COOKIE_PAIRS", "MAX_RIVALS", "CookieSpelling", "SessionCookies"]

MAX_COOKIE_BYTES: Final = 16 * 1024
"""The largest size of all Cookie header fields together; with more, the request has no session (S-31)."""
MAX_COOKIE_PAIRS: Final = 200
MAX_RIVALS: Final = 4
"""The largest number of ids of one request that are looked up, one after the other; of more, none counts (S-29)."""
_RECENT_BYTES: Final = 2048
"""Longer headers are parsed each time."""
_COOKIE: Final = frozenset(map(bytes, itertools.product(*zip(b"cookie", b"COOKIE", strict=True))))
"""The name of the field in any case, so that no other field costs a call."""

_ABSENT: Final = PresentedCredentials()
_MALFORMED: Final = PresentedCredentials(finding=CredentialStatus.MALFORMED, strays=True)
_CONFLICTING: Final = PresentedCredentials(finding=CredentialStatus.CONFLICTING, strays=True)
_OVERSIZED: Final = PresentedCredentials(finding=CredentialStatus.OVERSIZED)


class CookieSpelling:
    """The words and the order of the attributes in Set-Cookie fields.

    Args:
        settings: the attributes.
        domain: the domain; None for the host alone.
    """

    __slots__ = ("_attributes",)

    def __init__(self, settings: CookieSettings, domain: str | None) -> None:
        parts = [f"Path={settings.path}"]
        if domain:
            parts.append(f"Domain={domain}")
        if settings.secure:
            parts.append("Secure")
        if settings.httponly:
            parts.append("HttpOnly")
        if settings.samesite != "off":
            parts.append(f"SameSite={settings.samesite.capitalize()}")
        if settings.partitioned:
            parts.append("Partitioned")
        self._attributes = "".join(f"; {part}" for part in parts)

    def keep(self, pair: str, max_age: int | None) -> bytes:
        """The field's value that sets a cookie.

        Args:
            pair: name and value, with an equals sign in between.
            max_age: seconds that the browser shall keep it; None until it is closed.
        """
        age = "" if max_age is None else f"; Max-Age={max_age}"
        return f"{pair}{age}{self._attributes}".encode("ascii")

    def remove(self, name: str) -> bytes:
        """The field's value that removes a cookie."""
        return self.keep(f"{name}=", 0)


class SessionCookies:
    """Reads and writes the cookies of one configuration.

    No cookie value is ever decoded, unquoted or completed from other sources: a pair is ``name=value`` between
    semicolons, and the cookies' names match exactly or not at all (S-30).

    Args:
        settings: name and attributes.
        id_length: the number of characters of an id (S-01).
        remembered: the results of at least so many of the latest headers are remembered, and of at most twice as many,
            since a browser sends the same cookies with each of a page's many requests.
        spelling: writes the fields.
        on_return: called with the fields of a request that presents a cookie of the session, unless its Cookie header
            is among the remembered ones.
    """

    __slots__ = (
        "_id_length",
        "_id_needle",
        "_id_prefix",
        "_mark_needle",
        "_mark_prefix",
        "_name",
        "_on_return",
        "_ours",
        "_recent",
        "_spelling",
        "_stray_deletions",
    )

    def __init__(
        self,
        settings: CookieSettings,
        *,
        id_length: int = ID_LENGTH,
        remembered: int = 512,
        spelling: type[CookieSpelling] = CookieSpelling,
        on_return: Callable[[Iterable[Any]], object] | None = None,
    ) -> None:
        self._id_length = id_length
        name = settings.name.encode("ascii")
        self._name, self._id_needle, self._mark_needle = name, name + b"=", name + b"-v="
        # A pair begins at the start or after a semicolon; its name ends at the first equals sign.
        self._ours = re.compile(rb"(?:\A|;)[ \t]*%b(-v)?[ \t]*=[ \t]*([^;]*)" % re.escape(name)).findall
        self._id_prefix = settings.name + "="
        self._mark_prefix = settings.name + "-v="
        self._recent: TwoGenerationCache[bytes, PresentedCredentials] = TwoGenerationCache(remembered)
        self._on_return = on_return
        self._spelling = spelling(settings, settings.domain)
        self._stray_deletions = self._clear(spelling(settings, None)) if settings.domain else []

    def read(self, headers: Iterable[Any]) -> PresentedCredentials:
        """Find the session's cookies in the header list of an ASGI scope, in any case and type of names (R-54)."""
        header: bytes | None = None
        name: bytes | str = b""
        for name, value in headers:
            if name in _COOKIE:
                octet = value if type(value) is bytes else octets(value, "replace")
                header = octet if header is None else b"%b;%b" % (header, octet)
        if header is None:
            return (
                _ABSENT
                if type(name) is bytes
                else self.read([(octets(each[0], "replace"), each[1]) for each in headers])
            )
        return self._recent[header] or self._read_header(header, headers)

    def _read_header(self, header: bytes, headers: Iterable[Any]) -> PresentedCredentials:
        if len(header) > MAX_COOKIE_BYTES:
            return _OVERSIZED
        if header.count(b";") >= MAX_COOKIE_PAIRS:
            return _OVERSIZED
        if self._id_needle not in header:
            return _ABSENT
        plain = self._read_plain(header)
        presented = plain or self._scan(header)
        if presented.id is not None and len(header) <= _RECENT_BYTES:
            self._recent.put(header, presented)
            if plain is not None:
                plain.header = header
        if presented is not _ABSENT and self._on_return is not None:
            self._on_return(headers)
        return presented

    def _scan(self, header: bytes) -> PresentedCredentials:
        ids: list[str] = []
        marks: list[str] = []
        for mark, value in self._ours(header):
            (marks if mark else ids).append(value.rstrip(b" \t").decode("latin-1"))
        if not ids:
            return _ABSENT
        # A malformed watermark was not set by this package; it does not cost the session beside it.
        fitting = tuple(dict.fromkeys(each for each in ids if is_well_formed(each, self._id_length)))
        if not fitting:
            return _MALFORMED
        watermark, strays = marks[0] if len(set(marks)) == 1 else None, len(ids) > 1 or len(marks) > 1
        if len(fitting) == 1:
            return PresentedCredentials(fitting[0], watermark, PRESENT, strays=strays)
        if len(fitting) > MAX_RIVALS:
            return _CONFLICTING
        return PresentedCredentials(None, watermark, CredentialStatus.CONFLICTING, rivals=fitting, strays=True)

    def _read_plain(self, header: bytes) -> PresentedCredentials | None:
        """The result of `_scan` for a header as browsers write it, at a third of the cost; None for any other.

        Each of the session's cookies is in it once, at the beginning of a pair, and nowhere else.
        """
        at, mark_at = header.find(self._id_needle), header.find(self._mark_needle)
        if mark_at < 0 or header.count(self._name) != 2:
            return None
        if (at and header[at - 2 : at] != b"; ") or (mark_at and header[mark_at - 2 : mark_at] != b"; "):
            return None
        end, mark_end = header.find(b";", at), header.find(b";", mark_at)
        session_id = header[at + len(self._id_needle) : end if end > 0 else None].decode("latin-1")
        if not is_well_formed(session_id, self._id_length):
            return None
        mark = header[mark_at + len(self._mark_needle) : mark_end if mark_end > 0 else None]
        return PresentedCredentials(session_id, mark.strip(b" \t").decode("latin-1"), PRESENT)

    def expect(self, presented: PresentedCredentials, watermark: str, resolved: ResolvedCredentials | None) -> None:
        """Remember the credentials of the client's next request, which has the same header with this watermark.

        Args:
            presented: those of this request.
            watermark: the watermark in this response.
            resolved: the values derived from the id and this watermark, if they are known.
        """
        known = presented.watermark
        if known and presented.header:
            header = presented.header.replace(known.encode("latin-1"), watermark.encode("ascii"))
            expected = PresentedCredentials(presented.id, watermark, PRESENT, header=header, resolved=resolved)
            self._recent.put(header, expected)

    def set_id(self, session_id: str, *, max_age: int | None = None) -> bytes:
        """The Set-Cookie value that gives the client its id.

        Args:
            session_id: the id.
            max_age: seconds that the browser shall keep it; None until it is closed.
        """
        return self._spelling.keep(self._id_prefix + session_id, max_age)

    def set_watermark(self, watermark: str, *, max_age: int | None = None) -> bytes:
        """The Set-Cookie value of the watermark; arguments as for `set_id`."""
        return self._spelling.keep(self._mark_prefix + watermark, max_age)

    def clear(self) -> list[bytes]:
        """The Set-Cookie values that remove both cookies, the id's last, with their attributes (S-32)."""
        return self._clear(self._spelling)

    def clear_strays(self) -> list[bytes]:
        """The Set-Cookie values that remove cookies of the same names which a browser keeps beside the session's
        (S-29).

        If the session's have a domain these are those of the host alone, as a release without that setting has set
        them.
        """
        return self._stray_deletions

    def _clear(self, spelling: CookieSpelling) -> list[bytes]:
        return [spelling.remove(prefix[:-1]) for prefix in (self._mark_prefix, self._id_prefix)]
