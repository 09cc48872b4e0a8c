"""The credentials that a client presents, and their channel."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from ..record.struct import Struct

if TYPE_CHECKING:
    from ..record import SessionKey
    from .watermark import Watermark, WatermarkSeal

__all__ = [
    "ABSENT",
    "BY_COOKIE",
    "BY_HEADER",
    "OVERSIZED",
    "PRESENT",
    "UNTOLD",
    "CredentialChannel",
    "CredentialStatus",
    "PresentedCredentials",
    "ResolvedCredentials",
]


class CredentialChannel(Enum):
    """The channel of a client's id, in both directions."""

    COOKIE = "cookie"
    HEADER = "header"
    """The field that the setting `header` names (S-05)."""


class CredentialStatus(Enum):
    """The kind of the credentials in a request's Cookie header, or in the header of S-05."""

    ABSENT = "absent"
    """No id."""
    PRESENT = "present"
    """One well-formed id. Only the store can tell whether it is known."""
    MALFORMED = "malformed"
    """An id of the wrong shape; the store is not read (S-04)."""
    CONFLICTING = "conflicting"
    """Several different well-formed ids. Only the store can tell which one counts (S-29)."""
    OVERSIZED = "oversized"
    """More cookies than are read: there may be an id among the others (S-31)."""
    UNTOLD = "untold"
    """No id, but the credential of another library; another response carries the id of its session (S-75)."""


BY_COOKIE: Final = CredentialChannel.COOKIE
BY_HEADER: Final = CredentialChannel.HEADER
ABSENT: Final = CredentialStatus.ABSENT
PRESENT: Final = CredentialStatus.PRESENT
OVERSIZED: Final = CredentialStatus.OVERSIZED
UNTOLD: Final = CredentialStatus.UNTOLD


class ResolvedCredentials(Struct, frozen=True, gc=False):
    """The values derived from an id and a watermark without a call to the store."""

    seal: WatermarkSeal
    """The seal with the keys that this was derived by."""
    key: SessionKey
    carried: Watermark | None
    """The watermark, if it was made with one of those keys."""
    is_from_here: bool = False
    """Whether this node has made the watermark."""
    moved: SessionKey | None = None
    """The possible place of the session since a rotation of unknown outcome, if the client has a move (C-23)."""


class PresentedCredentials(Struct, gc=False):
    """The credentials that a client presented. Requests with the same header share one object."""

    id: str | None = None
    """The well-formed id; None if there is none, or more than one."""
    watermark: str | None = None
    """The watermark as received, not verified yet."""
    finding: CredentialStatus = CredentialStatus.ABSENT
    carrier: CredentialChannel = CredentialChannel.COOKIE
    """The channel of the answer."""
    rivals: tuple[str, ...] = ()
    """The well-formed ids, if there are several, up to the number that is looked up in the store."""
    strays: bool = False
    """Whether there are more cookies of our names than one of each, which no response of ours has set side by side."""
    header: bytes = b""
    """The Cookie header, if it contains each of the session's cookies once, as browsers write it."""
    resolved: ResolvedCredentials | None = None
    """Worked out by the first request that needs it."""
