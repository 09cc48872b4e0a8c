"""What a client presents of its session, and through which channel."""

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
    """What a client's id comes and goes by."""

    COOKIE = "cookie"
    HEADER = "header"
    """The field that the setting `header` names (S-05)."""


class CredentialStatus(Enum):
    """What a request's Cookie header, or the header of S-05, says about its session."""

    ABSENT = "absent"
    """No id."""
    PRESENT = "present"
    """One well-formed id. Whether it is known, only the store can tell."""
    MALFORMED = "malformed"
    """An id of the wrong shape; no store is asked (S-04)."""
    CONFLICTING = "conflicting"
    """Several different well-formed ids. Which one counts, only the store can tell (S-29)."""
    OVERSIZED = "oversized"
    """More cookies than are read: whether there is an id among them is not known (S-31)."""
    UNTOLD = "untold"
    """No id, but the credential of another library, and another response tells the id of its session (S-75)."""


BY_COOKIE: Final = CredentialChannel.COOKIE
BY_HEADER: Final = CredentialChannel.HEADER
ABSENT: Final = CredentialStatus.ABSENT
PRESENT: Final = CredentialStatus.PRESENT
OVERSIZED: Final = CredentialStatus.OVERSIZED
UNTOLD: Final = CredentialStatus.UNTOLD


class ResolvedCredentials(Struct, frozen=True, gc=False):
    """What can be worked out from an id and a watermark without a call to the store."""

    seal: WatermarkSeal
    """The seal by whose keys this was worked out."""
    key: SessionKey
    carried: Watermark | None
    """The watermark, if one of those keys has made it."""
    moved: SessionKey | None = None
    """Where the session may be since a rotation of unknown outcome, if the client has been told so (C-23)."""


class PresentedCredentials(Struct, gc=False):
    """What a client presented. One object serves all requests that present the same."""

    id: str | None = None
    """The well-formed id; None if there is none, or more than one."""
    watermark: str | None = None
    """The watermark as it came, not verified yet."""
    finding: CredentialStatus = CredentialStatus.ABSENT
    carrier: CredentialChannel = CredentialChannel.COOKIE
    """What the answer goes by."""
    rivals: tuple[str, ...] = ()
    """The well-formed ids, if there are several of them, and not more than the store is asked for."""
    strays: bool = False
    """Whether there are more cookies of our names than one of each, which no response of ours has set side by side."""
    resolved: ResolvedCredentials | None = None
    """Worked out by the first request that needs it."""
