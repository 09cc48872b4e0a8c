"""The headers that a session adds to a response: the id, ``Vary`` and ``Cache-Control`` (S-40, S-41)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

from ..internal.log_throttle import LogThrottle
from .types import octets

__all__ = ["VARY", "Header", "Headers", "add_session_headers", "add_unknown_use", "octet_pairs"]

_log = LogThrottle(logging.getLogger("wsgessions.response"))
_NO_STORE: Final = b"no-store"
_PRIVATE: Final = b"private, no-cache"
_SHARED: Final = frozenset({b"public", b"s-maxage"})
_MERGED: Final = frozenset({b"vary", b"cache-control"})
_MOST_NAMES: Final = 1024
_harmless: Final[set[bytes]] = set()
_name_of: Final[Callable[[Any], Any]] = itemgetter(0)

Header: TypeAlias = tuple[bytes, bytes]
Headers: TypeAlias = list[Header]

VARY: Final[Header] = (b"vary", b"Cookie")
"""For a response after an access to a session that was presented by cookie."""


def add_session_headers(
    theirs: Iterable[Any], fields: Sequence[Header], *, no_store: bool, vary: Header = VARY, private: bool = False
) -> Headers:
    """The fields of a response after an access to the session; those of the application stay (S-229).

    Args:
        theirs: the application's fields, as an iterable of any kind, as ASGI permits.
        fields: the fields with the client's id and watermark.
        no_store: whether the response must not be stored anywhere: the fields set or clear the id, or the application
            has requested it.
        vary: the field ``Vary`` with the request's fields that identify the session.
        private: whether the response has such fields already.
    """
    headers: list[Any] = list(theirs)
    demand = _NO_STORE if no_store else _PRIVATE if fields or private else None
    # Nothing has to be merged, nearly always; all of our fields are cookies, or none.
    if (fields and fields[0][0] != b"set-cookie") or not (
        _harmless.issuperset(map(_name_of, headers)) or all(map(_is_harmless, map(_name_of, headers)))
    ):
        headers = _vary_by(octet_pairs(headers), vary[1])
        if demand is not None:
            ours = {name for name, _ in fields} - {b"set-cookie"}  # each may occur only once: drop the application's
            headers = _guard_from_caches([header for header in headers if header[0].lower() not in ours], demand)
    else:
        headers.append(vary)
        if demand is not None:
            headers.append((b"cache-control", demand))
    headers += fields
    return headers


def add_unknown_use(theirs: Iterable[Any], *, private: bool, vary: Header = VARY) -> Headers:
    """The fields of a response whose body may still access the session.

    Args:
        theirs: the application's fields.
        private: whether it may be the page of one visitor, which no shared cache may store.
        vary: as for `add_session_headers`.
    """
    headers = _vary_by(octet_pairs(theirs), vary[1])
    return _kept_private(headers) if private else headers


def _kept_private(headers: Headers) -> Headers:
    headers = [header for header in headers if not _overrules_cache_control(header[0].lower())]
    said = [part.strip() for name, value in headers if name.lower() == b"cache-control" for part in value.split(b",")]
    if {part.lower() for part in said} & {b"private", b"no-store"}:
        return headers
    kept = [part for part in said if part and part.partition(b"=")[0].lower() not in _SHARED]
    others = [header for header in headers if header[0].lower() != b"cache-control"]
    return [*others, (b"cache-control", b", ".join([b"private", *kept]))]


def _is_harmless(name: bytes | str) -> bool:
    """Whether a field of this name is bytes and does not affect caching. An application has few such names, so they are
    remembered.
    """
    if type(name) is not bytes:
        return False
    lower = name.lower()
    if lower in _MERGED or _overrules_cache_control(lower):
        return False
    if len(_harmless) < _MOST_NAMES:
        _harmless.add(name)
    return True


def _vary_by(headers: Headers, fields: bytes) -> Headers:
    present = _values_of(headers, b"vary")
    missing = b", ".join(field for field in fields.split(b", ") if field.lower() not in present)
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
    if {directive.partition(b"=")[0] for directive in present} & _SHARED:
        _log.warning(
            "shared_caching_overridden",
            "a response with one visitor's session was marked for shared caches; Cache-Control is now %s",
            demand.decode(),
        )
    kept = [header for header in headers if header[0].lower() != b"cache-control"]
    return [*kept, (b"cache-control", demand)]


def _overrules_cache_control(name: bytes) -> bool:
    """Whether caches that support this field ignore Cache-Control (RFC 9213, section 2.1)."""
    return name == b"surrogate-control" or name.endswith(b"-cache-control")


def _values_of(headers: Headers, wanted: bytes) -> set[bytes]:
    """The comma-separated parts of all fields of one name, in lower case."""
    values = (value for name, value in headers if name.lower() == wanted)
    return {part.strip().lower() for value in values for part in value.split(b",")} - {b""}


def octet_pairs(headers: Iterable[Any]) -> Headers:
    """Header fields of an application, in any case and type of names (R-54)."""
    return [(octets(name), octets(value)) for name, value in headers]
