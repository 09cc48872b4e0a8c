"""Finds browsers that are given the session's cookie and never return it, which nothing else would show (S-20 to S-28).

Every request of such a browser begins a new session: the visitor cannot log in, and no error is logged. The evidence is
that one client, by its address and user agent, is given session after session on one host, some time apart, and that no
cookie of the session has come from any browser on that host meanwhile. Clients that keep no cookies at all, as command
line tools, health checks and most bots, do not count: they do not send the fields that browsers send.

A cookie that comes back for the first time is in a Cookie header that this process has not seen before, so nothing has
to be done for the headers that it knows. Where several processes serve a host, the cookie may come back to another one;
then the browser is given no further session here either.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..internal.log_throttle import LogThrottle
from .types import octets

if TYPE_CHECKING:
    from ..settings import SessionSettings

__all__ = ["PLAIN_SCHEMES", "UnreturnedCookies"]

K = TypeVar("K")
V = TypeVar("V")

_log = LogThrottle(logging.getLogger("wsgessions.request"))

PLAIN_SCHEMES: Final = frozenset({"http", "ws"})
_ENOUGH: Final = {"development": 4, "production": 20}
"""The number of sessions in a row that is no accident, by the environment."""
_WINDOW: Final = 600.0
"""Seconds within which they are given."""
_APART: Final = 1.0
"""Seconds between two that count: a page's first requests may be under way at the same time, before any cookie."""
_MOST_HOSTS: Final = 32
_MOST_CLIENTS: Final = 64
"""The limits of what is remembered. The oldest is forgotten, as both come from the request."""
_SHOWN: Final = 100
_FIELDS: Final = (
    b"host",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"user-agent",
    b"accept-language",
    b"sec-fetch-site",
)
_OTHER_SITES: Final = frozenset({b"cross-site", b"same-site"})
"""What browsers say of a request that another origin's page makes; cookies follow other rules there."""


@dataclass(slots=True)
class _Run:
    """The sessions that one client was given in a row."""

    began: float
    latest: float = -math.inf
    session: int = 0
    """The hash of the latest session's id: several layers may decide on the cookies of one response."""
    number: int = 0


@dataclass(slots=True)
class _Host:
    """One host, as reached from its own pages or from those of other origins."""

    runs: dict[int, _Run] = field(default_factory=dict[int, _Run])
    """By the hash of a client's address and user agent: neither is kept."""
    is_told: bool = False


class UnreturnedCookies:
    """The observation of one configuration.

    Args:
        settings: the settings, of which `cookie` and `env` are used.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._enough = _ENOUGH[settings.env]
        self._hosts: dict[tuple[str, bytes], _Host] = {}

    def note_given(self, session_id: str, scope: Mapping[str, Any], client_address: str | None) -> None:
        """A client that has presented no cookie of the session is given a new session.

        Args:
            session_id: the id of the session.
            scope: the scope of its request.
            client_address: its address.
        """
        fields = _fields_of(scope.get("headers", ()))
        if not fields[b"user-agent"].startswith(b"Mozilla/") or not fields[b"accept-language"]:
            return  # no browser
        host = _recent(self._hosts, _place_of(fields), _Host, _MOST_HOSTS)
        if host.is_told:
            return
        now, session = time.monotonic(), hash(session_id)
        client = hash((client_address, fields[b"x-forwarded-for"], fields[b"user-agent"]))
        run = _recent(host.runs, client, lambda: _Run(now), _MOST_CLIENTS)
        if session == run.session or now - run.latest < _APART:
            return
        if now - run.began > _WINDOW:
            run.began, run.number = now, 0
        run.session, run.latest, run.number = session, now, run.number + 1
        if run.number >= self._enough:
            host.is_told = True
            host.runs.clear()
            _log.warning(
                "cookies_not_returned",
                "a browser at %r was given %d sessions in a row, and none at that host returns the cookie: %s",
                _host_of(fields)[:_SHOWN],
                run.number,
                self._reason(scope, fields),
            )

    def note_returned(self, headers: Iterable[Any]) -> None:
        """A cookie of the session has come that was not seen before.

        Args:
            headers: the fields of its request.
        """
        if self._hosts:
            host = self._hosts.get(_place_of(_fields_of(headers)))
            if host is not None:
                host.runs.clear()

    def _reason(self, scope: Mapping[str, Any], fields: Mapping[bytes, bytes]) -> str:
        """The most probable reason, and the remedy in words of the settings."""
        cookie, site = self._settings.cookie, fields[b"sec-fetch-site"]
        is_plain = scope.get("scheme") in PLAIN_SCHEMES and not fields[b"x-forwarded-proto"].startswith(b"https")
        if is_plain and cookie.secure and self._settings.plain_http_cookie is None:
            return f"over plain http browsers take no Secure cookie; serve https, or {self._undo_secure()}"
        if cookie.domain and not f".{_host_of(fields)}".endswith(f".{cookie.domain.lower()}"):
            return f'cookie.domain = "{cookie.domain}" does not hold for that host; leave it out, or name its domain'
        path = str(scope.get("path", "/"))
        if not f"{path}/".startswith(f"{cookie.path.rstrip('/')}/"):
            return f'cookie.path = "{cookie.path}" is not above the path of the request; leave it at "/"'
        if site == b"cross-site":
            return f"the requests are of another site's page; {_for_other_sites(cookie.samesite)}"
        if site == b"same-site":
            return 'the requests are of another origin\'s page, which has to send them with credentials: "include"'
        return "the browser rejects cookies, or a proxy removes the fields Cookie or Set-Cookie; let it pass them on"

    def _undo_secure(self) -> str:
        origin = self._settings.origin("cookie.secure")
        if origin == "default":
            return f'in development set env = "development" (now production, by {self._settings.origin("env")})'
        return f"in development leave out cookie.secure = true (set by {origin})"


def _for_other_sites(samesite: str) -> str:
    if samesite == "none":
        return "where the browser blocks third-party cookies, set cookie.partitioned = true"
    return 'to have a session there too, set cookie.samesite = "none" and cookie.partitioned = true'


def _fields_of(headers: Iterable[Any]) -> dict[bytes, bytes]:
    """The fields that tell browsers and hosts apart; those that are missing are empty."""
    found: dict[bytes, bytes] = dict.fromkeys(_FIELDS, b"")
    for name, value in headers:
        key = octets(name, "replace").lower()
        if key in _FIELDS:
            found[key] = octets(value, "replace")
    return found


def _place_of(fields: Mapping[bytes, bytes]) -> tuple[str, bytes]:
    site = fields[b"sec-fetch-site"]
    return _host_of(fields), site if site in _OTHER_SITES else b""


def _host_of(fields: Mapping[bytes, bytes]) -> str:
    """The host that the browser has asked, without its port, as cookies know no ports.

    What a proxy says of it is good enough here, where nothing depends on it but a line of log.
    """
    host = (fields[b"x-forwarded-host"].partition(b",")[0].strip() or fields[b"host"]).decode("latin-1").lower()
    name, _, port = host.rpartition(":")
    return name if port.isdigit() and name else host


def _recent(table: dict[K, V], key: K, make: Callable[[], V], size: int) -> V:
    """The entry of a table of limited size; the entries that were not used for the longest time make room.

    Each step is safe among threads. Where two meet, one of their entries may be lost, which costs one observation.
    """
    entry = table.pop(key, None) or make()
    for oldest in list(table)[: len(table) + 1 - size]:
        table.pop(oldest, None)
    table[key] = entry
    return entry
