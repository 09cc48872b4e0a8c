"""What a session adds to the headers of a response: the id, ``Vary`` and ``Cache-Control`` (S-40, S-41)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from .asgi import Message, octets
from .log_throttle import LogThrottle

__all__ = ["Header", "with_session_headers"]

_log = LogThrottle(logging.getLogger("wsgessions.response"))
_NO_STORE: Final = b"no-store"
_VARY: Final = len(b"vary")
_CACHE_CONTROL: Final = len(b"cache-control")
_PRIVATE: Final = b"private, no-cache"

Header: TypeAlias = tuple[bytes, bytes]
Headers: TypeAlias = list[Header]


def with_session_headers(
    message: Message, fields: Headers, *, no_store: bool, vary: tuple[bytes, ...] = (b"Cookie",)
) -> Message:
    """A copy of a response's opening message for a session that was looked at; the application's own stays (S-229).

    Args:
        message: the opening message.
        fields: what tells the client its id and watermark.
        no_store: whether the response must not be kept anywhere: the fields set or clear the id, or the application
        says so.
        vary: the request's fields that tell whose session it is.
    """
    theirs = list(message.get("headers") or ())
    if _say_nothing_of_caching(theirs, fields):
        added = [(b"vary", b", ".join(vary))]
        if fields or no_store:
            added.append((b"cache-control", _NO_STORE if no_store else _PRIVATE))
        return {**message, "headers": [*theirs, *added, *fields]}
    headers = _vary_by([_octet_pair(header) for header in theirs], vary)
    if fields or no_store:
        ours = {name for name, _ in fields} - {b"set-cookie"}  # of those there may be one only, and it is not an echo
        headers = [header for header in headers if header[0].lower() not in ours]
        headers = [*_guard_from_caches(headers, _NO_STORE if no_store else _PRIVATE), *fields]
    return {**message, "headers": headers}


def _say_nothing_of_caching(theirs: Iterable[Any], ours: Headers) -> bool:
    """Whether nothing has to be merged, as far as the lengths of names tell: nearly always that is so.

    ``Vary`` is short, and what ends in ``Cache-Control`` is long; so is ``Content-Length``, by a letter more.
    """
    for name, _ in theirs:
        length = len(name)
        if length == _VARY or length >= _CACHE_CONTROL != length - 1:
            return False
    return not ours or all(name == b"set-cookie" for name, _ in ours)


def _vary_by(headers: Headers, fields: tuple[bytes, ...]) -> Headers:
    present = _values_of(headers, b"vary")
    missing = b", ".join(field for field in fields if field.lower() not in present)
    if b"*" in present or not missing:
        return headers
    for index, (name, value) in enumerate(headers):
        if name.lower() == b"vary" and value.strip():
            return [*headers[:index], (name, value + b", " + missing), *headers[index + 1 :]]
    return [*headers, (b"vary", missing)]


def _guard_from_caches(headers: Headers, demand: bytes) -> Headers:
    present = _values_of(headers, b"cache-control")
    headers = [header for header in headers if not _overrules_cache_control(header[0].lower())]
    if b"no-store" in present or (demand is _PRIVATE and {b"private", b"no-cache"} <= present):
        return headers
    if {directive.partition(b"=")[0] for directive in present} & {b"public", b"s-maxage"}:
        _log.warning(
            "shared_caching_overridden",
            "a response of one visitor's session was marked for shared caches; Cache-Control is now %s",
            demand.decode(),
        )
    kept = [header for header in headers if header[0].lower() != b"cache-control"]
    return [*kept, (b"cache-control", demand)]


def _overrules_cache_control(name: bytes) -> bool:
    """Whether caches that know this field do not look at Cache-Control (RFC 9213, section 2.1)."""
    return name == b"surrogate-control" or name.endswith(b"-cache-control")


def _values_of(headers: Headers, wanted: bytes) -> set[bytes]:
    """The comma-separated parts of all fields of one name, in lower case."""
    values = (value for name, value in headers if name.lower() == wanted)
    return {part.strip().lower() for value in values for part in value.split(b",")} - {b""}


def _octet_pair(header: Iterable[Any]) -> tuple[bytes, bytes]:
    name, value = header
    return octets(name), octets(value)
