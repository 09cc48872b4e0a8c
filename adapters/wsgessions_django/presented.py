"""The credentials that a request of Django presents: those of its headers, or others that code has put there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from django.http import HttpRequest, parse_cookie

from wsgessions.credentials.presented import PresentedCredentials
from wsgessions.web.id_resolver import SessionIdResolver
from wsgessions.web.response_headers import Header

__all__ = ["Arrival", "arrival_of", "put_by_code"]

_HTTP: Final = "HTTP_"


class Arrival(NamedTuple):
    """What the server tells of a request, as ASGI has it."""

    headers: Collection[Any]
    """The header fields."""
    scheme: str | None
    path: str
    root_path: str
    """The part of the path at which the application is mounted."""
    client_address: str | None

    @property
    def scope(self) -> dict[str, Any]:
        """As keys of a scope of ASGI."""
        return {"headers": self.headers, "scheme": self.scheme, "path": self.path, "root_path": self.root_path}


def arrival_of(request: HttpRequest) -> Arrival:
    """What the server has told of a request, by ASGI or by WSGI."""
    scope: Any = getattr(request, "scope", None)
    if scope is not None:
        client = scope.get("client")
        headers, address = scope.get("headers", ()), client[0] if client else None
        return Arrival(headers, scope.get("scheme"), scope["path"], scope.get("root_path", ""), address or None)
    meta = request.META
    return Arrival(
        list(_headers_of_wsgi(meta)),
        request.scheme,
        request.path,
        meta.get("SCRIPT_NAME", ""),
        meta.get("REMOTE_ADDR") or None,
    )


def _headers_of_wsgi(environ: Mapping[str, Any]) -> Iterator[Header]:
    """Servers and other code may leave values there that are no text."""
    for name, value in environ.items():
        if name.startswith(_HTTP):
            octets = _octets(value)
            if octets is not None:
                yield name[len(_HTTP) :].replace("_", "-").lower().encode("latin-1", "replace"), octets


def _octets(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode("latin-1", "replace")
    return bytes(value) if isinstance(value, bytes | bytearray) else None


def put_by_code(
    request: HttpRequest, resolver: SessionIdResolver, headers: Iterable[Any]
) -> PresentedCredentials | None:
    """The credentials that code before this middleware has put into ``request.COOKIES``; None without such.

    Django's own middleware looks there. Cookies that were not parsed so far were not changed either.

    Args:
        request: the request.
        resolver: reads ids.
        headers: the header fields of the request.
    """
    if "COOKIES" not in request.__dict__:
        return None
    sent, put = _sent_with(request), request.COOKIES
    if sent == put:
        return None
    others = [(name, value) for name, value in headers if name.lower() != b"cookie"]
    before, now = (resolver.read([*others, (b"cookie", _as_header(each))]) for each in (sent, put))
    return None if _facts(before) == _facts(now) else now


def _facts(presented: PresentedCredentials) -> tuple[object, ...]:
    return presented.id, presented.watermark, presented.finding, presented.rivals


def _sent_with(request: HttpRequest) -> dict[str, str]:
    """The cookies that the client has sent, as ``request.COOKIES`` has them."""
    sent = request.META.get("HTTP_COOKIE", "")
    return parse_cookie(sent) if isinstance(sent, str) else {}


def _as_header(cookies: dict[str, Any]) -> bytes:
    pairs = (f"{name}={value}" for name, value in cookies.items())
    return "; ".join(pair for pair in pairs if ";" not in pair).encode("latin-1", "replace")
