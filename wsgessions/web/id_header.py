"""The header by which clients without cookies carry their session, where that is set (S-05).

It says what the id cookie says; a second one, named like it with ``-Watermark`` behind, what the watermark cookie does.
The word ``none``, or nothing, stands for "no id": a request asks for one that way, and a response says that the session
has ended. So a client sends what it was last told, whatever that was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ..credentials.identity import is_well_formed
from ..credentials.presented import CredentialChannel, CredentialStatus, PresentedCredentials
from .types import octets

__all__ = ["IdHeader"]

NO_ID: Final = b"none"
"""Too short for an id, so that it can be taken for none."""
_ASKING: Final = PresentedCredentials(carrier=CredentialChannel.HEADER)
_MALFORMED: Final = PresentedCredentials(finding=CredentialStatus.MALFORMED, carrier=CredentialChannel.HEADER)
_CONFLICTING: Final = PresentedCredentials(finding=CredentialStatus.CONFLICTING, carrier=CredentialChannel.HEADER)
_NO_ID: Final = frozenset({CredentialStatus.ABSENT, CredentialStatus.MALFORMED})
_WRONG: Final = frozenset({CredentialStatus.MALFORMED, CredentialStatus.CONFLICTING, CredentialStatus.OVERSIZED})


class IdHeader:
    """Reads and names the two header fields of one configuration.

    Args:
        name: the id's field name.
        id_length: characters of an id (S-01).
    """

    __slots__ = ("_id_length", "_id_name", "_lengths", "_mark_name", "name")

    def __init__(self, name: str, *, id_length: int) -> None:
        self.name: Final = name.encode("ascii")
        self._id_length = id_length
        self._id_name = self.name.lower()
        self._mark_name = self._id_name + b"-watermark"
        self._lengths = frozenset({len(self._id_name), len(self._mark_name)})

    def weigh(self, by_cookie: PresentedCredentials, headers: Iterable[Any]) -> PresentedCredentials:
        """What a request presents, given what its cookies say.

        A session that came by cookie alone is never answered by header, though the header asks: else a script could
        read the id that `HttpOnly` keeps from it.
        """
        lengths = self._lengths  # which settle it for most fields without another call
        fields = [(octets(name, "replace").lower(), value) for name, value in headers if len(name) in lengths]
        ids = self._values(fields, self._id_name)
        if not ids:
            return by_cookie
        by_header = self._judge(ids, self._values(fields, self._mark_name))
        if by_cookie.finding in _NO_ID or by_header.finding in _WRONG:
            return by_header
        if by_header is _ASKING or (by_cookie.finding in _WRONG and not by_cookie.rivals):
            return by_cookie
        return by_header if by_header.id == by_cookie.id else _CONFLICTING

    @staticmethod
    def _values(fields: list[tuple[bytes, Any]], wanted: bytes) -> set[bytes]:
        return {octets(value, "replace").strip(b" \t") for name, value in fields if name == wanted}

    def _judge(self, ids: set[bytes], marks: set[bytes]) -> PresentedCredentials:
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
        """The response's field that tells the client what it has seen."""
        return self._mark_name, watermark.encode("ascii")

    def clear(self) -> list[tuple[bytes, bytes]]:
        """The response's field that says that there is no session any more."""
        return [(self._id_name, NO_ID)]
