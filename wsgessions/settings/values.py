"""What single settings may be, beyond their types: names, paths, sizes and times (R-07)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator

from ..codec import MAX_ATTRIBUTE_BYTES
from ..credentials.identity import MAX_ID_LENGTH, MIN_ID_LENGTH
from .cookie import MAX_COOKIE_AGE, TOKEN
from .types import Duration, Size, ZeroOrMore, choice, items, only, parse_off, wrong

__all__ = [
    "AbsoluteTimeout",
    "AdapterName",
    "Concurrency",
    "ConflictRule",
    "ContextPath",
    "Environment",
    "FsyncPolicy",
    "HeaderName",
    "IdLength",
    "LateCommit",
    "LeaseTime",
    "MaxMemory",
    "Namespace",
    "NoAnonymousTimeout",
    "NoEncryption",
    "NonStopBehavior",
    "PathPrefixes",
    "RenewGrace",
    "SessionBytes",
    "UnstoredPaths",
    "check_maxmemory",
]

_MAX_CONCURRENCY: Final = 4096
_MAX_LEASE: Final = timedelta(seconds=5)
_MAX_RENEW_GRACE: Final = timedelta(seconds=10)
_MIN_SESSION_BYTES: Final = 1024
_MIN_MAXMEMORY: Final = 16 * 2**20
_ADAPTER: Final = re.compile(r"[A-Za-z_][\w.\-]*(:[A-Za-z_][\w.]*)?")
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_MAX_HEADER: Final = 100
_HEADER_HINT: Final = "for instance X-Session-Id"
_TAKEN_HEADERS: Final = re.compile(
    r"age|allow|alt-svc|authorization|cache-control|connection|cookie2?|date|etag|expect|expires|forwarded|from|host|"
    r"http2-settings|keep-alive|last-modified|link|location|max-forwards|origin|pragma|prefer|priority|range|referer|"
    r"refresh|retry-after|server|set-cookie2?|strict-transport-security|surrogate-control|te|trailer|"
    r"transfer-encoding|upgrade|user-agent|vary|via|warning|www-authenticate|"
    r"(accept|access-control-|content-|if-|proxy-|sec-|x-forwarded-).*",
    re.IGNORECASE,
)
_PATH: Final = re.compile(r"/[^\x00-\x20\x7f?#]{0,255}")


def _check_adapter(name: str) -> str:
    if not _ADAPTER.fullmatch(name):
        raise wrong("expected a name, a class name or package.module:Class", 'for instance "fastapi"')
    return name


def _check_namespace(namespace: str) -> str:
    if not _NAMESPACE.fullmatch(namespace):
        raise wrong(
            "expected 1 to 64 letters, digits and . _ -, beginning with a letter or digit", "the default is wsg"
        )
    return namespace


def _check_context_path(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise wrong("expected a path of up to 256 characters that begins with /", 'for instance "/shop"')
    return path.rstrip("/") or "/"


def _check_exclude(prefixes: tuple[str, ...]) -> tuple[str, ...]:
    for prefix in prefixes:
        if not _PATH.fullmatch(prefix) or not prefix.strip("/"):
            raise wrong("expected path prefixes that begin with / and name something", 'for instance "/static"')
    return prefixes


def _read_unstored(value: object) -> object:
    return () if isinstance(value, str) and value.strip().lower() == "none" else items(value)


def _check_unstored(prefixes: tuple[str, ...]) -> tuple[str, ...]:
    for prefix in prefixes:
        if not _PATH.fullmatch(prefix):
            raise wrong("expected path prefixes that begin with /", 'for instance "/account", or "/" for all')
    return prefixes


def _check_concurrency(segments: int) -> int:
    if not 0 <= segments <= _MAX_CONCURRENCY or segments & (segments - 1):
        raise wrong(f"expected 0, or a power of two up to {_MAX_CONCURRENCY}", "0 lets the store choose")
    return segments


def _check_session_bytes(size: int) -> int:
    if not _MIN_SESSION_BYTES <= size <= MAX_ATTRIBUTE_BYTES:
        raise wrong("expected a size from 1K to 4M", "keep large data elsewhere and a reference to it in the session")
    return size


def check_maxmemory(size: int) -> int:
    """The bytes, if a server can do with them; 0 leaves the choice to it.

    Raises:
        PydanticCustomError: they are too few; a `ValueError`.
    """
    if 0 != size < _MIN_MAXMEMORY:
        raise wrong("expected 0, or at least 16M", "0 takes half of the memory of the machine or container")
    return size


def _check_id_length(length: int) -> int:
    if not MIN_ID_LENGTH <= length <= MAX_ID_LENGTH:
        reason = "shorter ids have less than 128 fresh bits after a rotation (S-01); the default is 43"
        raise wrong(f"expected {MIN_ID_LENGTH} to {MAX_ID_LENGTH} characters", reason)
    return length


def _check_absolute(timeout: timedelta) -> timedelta:
    if timeout > MAX_COOKIE_AGE:
        raise wrong("expected at most 400 days", "no browser keeps a cookie longer")
    return timeout


def _check_lease(lease: timedelta) -> timedelta:
    if lease > _MAX_LEASE:
        raise wrong("expected at most 5s", "a longer lease would serve revoked sessions for longer (S-60)")
    return lease


def _check_renew_grace(grace: timedelta) -> timedelta:
    if grace > _MAX_RENEW_GRACE:
        raise wrong("expected at most 10s", "so long two ids are valid at once (S-07)")
    return grace


def _check_header(name: str | None) -> str | None:
    if name is None:
        return None
    if not TOKEN.fullmatch(name) or len(name) > _MAX_HEADER:
        raise wrong(f"expected the name of a header: up to {_MAX_HEADER} letters, digits and marks", _HEADER_HINT)
    if _TAKEN_HEADERS.fullmatch(name):
        raise wrong("that header has a meaning of its own", _HEADER_HINT)
    return name


def _off_is_none(value: object) -> object:
    return None if isinstance(value, str) and value.strip().lower() in {"off", "none"} else value


AbsoluteTimeout = Annotated[Duration, AfterValidator(_check_absolute)]
AdapterName = Annotated[str, AfterValidator(_check_adapter)]
Concurrency = Annotated[int, AfterValidator(_check_concurrency)]
ContextPath = Annotated[str, AfterValidator(_check_context_path)]
LeaseTime = Annotated[ZeroOrMore, AfterValidator(_check_lease)]
MaxMemory = Annotated[Size, AfterValidator(check_maxmemory)]
Namespace = Annotated[str, AfterValidator(_check_namespace)]
PathPrefixes = Annotated[tuple[str, ...], BeforeValidator(items), AfterValidator(_check_exclude)]
UnstoredPaths = Annotated[tuple[str, ...], BeforeValidator(_read_unstored), AfterValidator(_check_unstored)]
RenewGrace = Annotated[Duration, AfterValidator(_check_renew_grace)]
SessionBytes = Annotated[Size, AfterValidator(_check_session_bytes)]
ConflictRule = Annotated[Literal["overwrite", "raise"], choice("overwrite", "raise")]
Environment = Annotated[Literal["development", "production"], choice("development", "production")]
FsyncPolicy = Annotated[Literal["everysec", "always"], choice("everysec", "always")]
HeaderName = Annotated[str | None, BeforeValidator(_off_is_none), AfterValidator(_check_header)]
IdLength = Annotated[int, AfterValidator(_check_id_length)]
LateCommit = Annotated[Literal["allow", "barrier", "refuse"], choice("allow", "barrier", "refuse")]
NoAnonymousTimeout = Annotated[timedelta | None, only(None, parse_off, shown="off")]
NoEncryption = Annotated[None, only(None, parse_off, shown="none")]
NonStopBehavior = Annotated[
    Literal["exception"], choice("exception", later=("noop", "local_reads", "local_reads_and_exception_on_write"))
]
