"""Every error that wsgessions raises, as one closed tree.

```
WsgessionsError
├── ConfigError            a setting is wrong; names the setting and where its value came from
├── CodecError             a value cannot be stored, or stored bytes cannot be read
│   └── SessionTooLarge    a limit on bytes, attributes or names would be exceeded
├── SessionClosed          the session was used too early or too late
│   ├── SessionNotLoaded   the path is excluded from loading, and ``await session.load()`` was not called
│   └── CookiesOversized   the request has more cookies than are read, so that nothing is changed
├── SessionGone            the session was invalidated, rotated or has expired elsewhere
├── SessionConflict        another request changed the same attribute first
├── AmbiguousRef           a ref names several sessions, and nothing was done to any of them
├── InvalidCursor          the cursor is not one of this list of sessions
└── StoreUnavailable       the store did not carry out the request; says nothing about the session
    ├── NonStopTimeout     the deadline for store work has passed; a write may or may not have happened
    ├── StoreRefused       the store answered with an error (out of memory, read-only, no permission)
    └── RecordTooNew       the record was written by a later release; it is left untouched
```

Each error carries ``code`` (stable, for machines), ``hint`` (what to do about it) and ``docs`` (a page of this
project's documentation, relative to its root). No error text ever holds a session id, a password or a stored value
(S-79, S-80).
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AmbiguousRef",
    "CodecError",
    "ConfigError",
    "CookiesOversized",
    "InvalidCursor",
    "NonStopTimeout",
    "RecordTooNew",
    "SessionClosed",
    "SessionConflict",
    "SessionGone",
    "SessionNotLoaded",
    "SessionTooLarge",
    "StoreRefused",
    "StoreUnavailable",
    "WsgessionsError",
]


class WsgessionsError(Exception):
    """The root of the tree. Never raised itself."""

    code: ClassVar[str]
    """A stable identifier of the kind of error, such as ``"store_unavailable"``."""

    docs: ClassVar[str]
    """The page of the documentation that explains the error, relative to the documentation's root."""

    hint: str
    """One sentence with the remedy; empty where the message already contains it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} ({self.hint})" if self.hint else message


class ConfigError(WsgessionsError):
    """A setting is unknown, malformed, contradictory or unsafe. Raised at start, never during a request (R-07)."""

    code = "config"
    docs = "reference/settings/"

    def __init__(self, message: str, *, setting: str, origin: str = "", hint: str = "") -> None:
        """
        Args:
            message: what is wrong with the value, without the value where it may be a secret.
            setting: the name of the setting, dotted where nested: ``"cookie.samesite"``.
            origin: where the value came from: ``"constructor"``, ``"environment WSGESSIONS_ADAPTER"``,
                ``"wsgessions.toml"``, ``"pyproject.toml [tool.wsgessions]"`` or ``"default"``.
            hint: the remedy: valid values, the nearest match.
        """
        where = f" (from {origin})" if origin else ""
        super().__init__(f"setting {setting!r}{where}: {message}", hint=hint)
        self.setting = setting
        self.origin = origin


class CodecError(WsgessionsError):
    """A value cannot be stored exactly, or stored bytes cannot be read back. Nothing was written."""

    code = "codec"
    docs = "reference/values/"

    def __init__(self, message: str, *, path: str, hint: str = "") -> None:
        """
        Args:
            message: what is wrong, naming the type and never the value.
            path: where in the session: ``"cart.items[3]"``; the first part is the attribute's name.
            hint: the remedy.
        """
        super().__init__(f"attribute {path!r}: {message}" if path else message, hint=hint)
        self.path = path


class SessionTooLarge(CodecError):
    """A limit on bytes, attributes or names would be exceeded (R-04). The stored session is as it was."""

    code = "too_large"


class SessionClosed(WsgessionsError):
    """The session was changed after its request, or created or changed after the response had started (R-38, R-39)."""

    code = "session_closed"
    docs = "how-to/background-work/"


class SessionNotLoaded(SessionClosed):
    """The path is excluded from loading: ``await session.load()`` comes first (R-30)."""

    code = "session_not_loaded"


class CookiesOversized(SessionClosed):
    """A change was rejected: the request has more cookies than are read, and the session may be among them (S-31)."""

    code = "cookies_oversized"
    docs = "reference/errors/"


class SessionGone(WsgessionsError):
    """A change was rejected: the session has ended elsewhere, by logout, rotation or expiry (C-9, S-62)."""

    code = "session_gone"
    docs = "explanation/guarantee/"


class SessionConflict(WsgessionsError):
    """Another request changed the same attribute first, and the caller asked not to overwrite it (C-10)."""

    code = "session_conflict"
    docs = "explanation/guarantee/"

    def __init__(self, message: str, *, names: tuple[str, ...], hint: str = "") -> None:
        """``names``: the attributes in question."""
        super().__init__(message, hint=hint)
        self.names = names


class AmbiguousRef(WsgessionsError):
    """A ref names several sessions, and nothing was done to any of them, because a choice would be a guess (S-80)."""

    code = "ambiguous_ref"
    docs = "how-to/login/"


class InvalidCursor(WsgessionsError):
    """The cursor does not belong to a list of sessions of this application, or was damaged (E-8)."""

    code = "invalid_cursor"
    docs = "how-to/list-sessions/"


class StoreUnavailable(WsgessionsError):
    """The store did not carry out a request. It never means "no such session" (F-00a)."""

    code = "store_unavailable"
    docs = "how-to/store-trouble/"

    unknown: bool
    """Whether a change may have been applied, because it was sent and no reply came. It cannot be applied later (C-20).
    False if it has not been applied, and will not be."""

    def __init__(self, message: str, *, hint: str = "", unknown: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.unknown = unknown


class NonStopTimeout(StoreUnavailable):
    """The one deadline for a request's store work has passed (F-00b). A write already sent is `unknown`, not failed."""

    code = "nonstop_timeout"


class StoreRefused(StoreUnavailable):
    """The store answered with an error: out of memory, read-only, missing permission, wrong kind of key."""

    code = "store_refused"

    def __init__(self, message: str, *, server_code: str = "", hint: str = "") -> None:
        """``server_code``: the first word of the server's answer, such as ``"OOM"``; empty if there was none."""
        super().__init__(message, hint=hint)
        self.server_code = server_code


class RecordTooNew(StoreUnavailable):
    """The record was written by a later release of wsgessions; it is neither read nor changed (R-22)."""

    code = "record_too_new"
