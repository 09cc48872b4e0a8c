"""The header by which clients without cookies send their session id, if it is configured (S-05).

It contains the same as the id cookie; a second one, with the same name and ``-Watermark`` appended, the same as the
watermark cookie. The word ``none``, or an empty value, stands for "no id": a request asks for an id with it, and a
response declares with it that the session has ended. So a client sends the latest value that it has received.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ..credentials.identity import is_well_formed
from ..credentials.presented import CredentialChannel, CredentialStatus, PresentedCredentials
from .types import octets

__all__ = ["IdHeader"]

NO_ID: Final = b"none"
"""Too short for an id, so that it is never confused with one."""
_ASKING: Final = PresentedCredentials(carrier=CredentialChannel.HEADER)
_MALFORMED: Final = PresentedCredentials(finding=CredentialStatus.MALFORMED, carrier=CredentialChannel.HEADER)
_CONFLICTING: Final = PresentedCredentials(finding=CredentialStatus.CONFLICTING, carrier=CredentialChannel.HEADER)
_NO_ID: Final = frozenset({CredentialStatus.ABSENT, CredentialStatus.MALFORMED})
_WRONG: Final = frozenset({CredentialStatus.MALFORMED, CredentialStatus.CONFLICTING, CredentialStatus.OVERSIZED})


class IdHeader:
    """Reads and names the two header fields of one configuration.

    Args:
        name: the id's field name.
        id_length: the number of characters of an id (S-01).
    """

    __slots__ = ("_id_length", "_id_name", "_lengths", "_mark_name", "name")

    def __init__(self, name: str, *, id_length: int) -> None:
        self.name: Final = name.encode("ascii")
        self._id_length = id_length
        self._id_name = self.name.lower()
        self._mark_name = self._id_name + b"-watermark"
        self._lengths = frozenset({len(self._id_name), len(self._mark_name)})

    def choose_source(self, by_cookie: PresentedCredentials, headers: Iterable[Any]) -> PresentedCredentials:
        """The credentials of a request, given those of its cookies.

        A session presented by cookie alone is never answered by header, even if the header asks: otherwise a script
        could read the id that `HttpOnly` protects.
        """
        lengths = self._lengths  # which exclude most fields without another call
        fields = [(octets(name, "replace").lower(), value) for name, value in headers if len(name) in lengths]
        ids = self._values(fields, self._id_name)
        if not ids:
            return by_cookie
        by_header = self._parse(ids, self._values(fields, self._mark_name))
        if by_cookie.finding in _NO_ID or by_header.finding in _WRONG:
            return by_header
        if by_header is _ASKING or (by_cookie.finding in _WRONG and not by_cookie.rivals):
            return by_cookie
        return by_header if by_header.id == by_cookie.id else _CONFLICTING

    @staticmethod
    def _values(fields: list[tuple[bytes, Any]], wanted: bytes) -> set[bytes]:
        return {octets(value, "replace").strip(b" \t") for name, value in fields if name == wanted}

    def _parse(self, ids: set[bytes], marks: set[bytes]) -> PresentedCredentials:
        if len(ids) > 1:
            return _CONFLICTING
        value = ids.pop()
        if value in (b"", NO_ID):
            return _ASKING
        session_id = value.decode("latin-1")
        if not is_well_formed(session_id, self._id_length):
            return _MALFORMED
        watermark = marks.pop().decode("latin-1") if len(marks) == 1 else None
        return PresentedCredentials(session_id, watermark, CredentialStatus.PRESENT, CredentialChannel.HEADER)

    def set_id(self, session_id: str) -> tuple[bytes, bytes]:
        """The response's field that gives the client its id."""
        return self._id_name, session_id.encode("ascii")

    def set_watermark(self, watermark: str) -> tuple[bytes, bytes]:
        """The response's field with the client's watermark."""
        return self._mark_name, watermark.encode("ascii")

    def clear(self) -> list[tuple[bytes, bytes]]:
        """The response's field that declares that there is no session any more."""
        return [(self._id_name, NO_ID)]
