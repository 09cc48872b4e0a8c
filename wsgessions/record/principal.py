"""The name of a principal, the user that a session belongs to."""

from __future__ import annotations

from typing import Final, TypeAlias
from uuid import UUID

from ..errors import CodecError

__all__ = ["MAX_PRINCIPAL_BYTES", "Principal", "named"]

Principal: TypeAlias = str | int | UUID
"""The application's permanent identifier of a user: a text, a number or a UUID."""

MAX_PRINCIPAL_BYTES: Final = 512
"""The longest text of a principal, in bytes of UTF-8."""


def named(principal: Principal) -> str:
    """The text of a principal: 7 and ``"7"`` are one, a UUID has its usual form of 36 characters.

    Texts are compared exactly: where users may spell their names differently, the application has to normalise them.

    Raises:
        CodecError: it is none of the three, empty, too long, or no text that UTF-8 can hold.
    """
    known = isinstance(principal, str | int | UUID)  # pyright: ignore[reportUnnecessaryIsInstance]  # not every caller checks types
    if isinstance(principal, bool) or not known:
        problem = f"a principal is a str, an int or a UUID, and this is a {type(principal).__name__}"
        raise CodecError(problem, path="", hint="give the user's primary key")
    if isinstance(principal, str):
        text = str.__str__(principal)  # a member of an enum has another text for str()
    else:
        text = f"{principal:d}" if isinstance(principal, int) else str(principal)
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raise CodecError("a principal has characters that UTF-8 cannot hold", path="") from None
    if not 0 < len(raw) <= MAX_PRINCIPAL_BYTES:
        problem = f"a principal has 1 to {MAX_PRINCIPAL_BYTES} bytes, and this has {len(raw)}"
        raise CodecError(problem, path="", hint="give the user's primary key, or a digest of a longer name")
    return raw.decode()
