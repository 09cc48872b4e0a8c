"""Reads and writes ids: by cookies, and by a header if configured; the response uses the request's channel (S-05)."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ..credentials.presented import (
    ABSENT,
    BY_COOKIE,
    BY_HEADER,
    PRESENT,
    UNTOLD,
    CredentialChannel,
    PresentedCredentials,
)
from ..internal.log_throttle import LogThrottle
from ..session import UnitOfWork
from ..session.values import FROM_NEW
from .cookies import CookieSpelling, SessionCookies
from .id_header import IdHeader
from .response_headers import VARY, Header
from .unreturned_cookies import PLAIN_SCHEMES, UnreturnedCookies

if TYPE_CHECKING:
    from ..manager.request_sessions import RequestSessions
    from ..settings import CookieSettings, SessionSettings

__all__ = ["PLAIN_SCHEMES", "SessionIdResolver"]

_log_once = LogThrottle(logging.getLogger("wsgessions.request"), interval=math.inf)


class SessionIdResolver:
    """The channels of one configuration.

    Args:
        settings: the settings, of which `cookie`, `env`, `header` and `id_length` are used.
        cookie: other settings of the cookie, for these channels.
        spelling: writes the Set-Cookie fields.
        unreturned: observes whether browsers return the cookie; by default a new one.
    """

    __slots__ = (
        "_chosen",
        "_cookies",
        "_header",
        "_secure",
        "_strays",
        "_unreturned",
        "plain",
        "read",
        "shares_name",
        "vary",
    )

    def __init__(
        self,
        settings: SessionSettings,
        cookie: CookieSettings | None = None,
        *,
        spelling: type[CookieSpelling] = CookieSpelling,
        unreturned: UnreturnedCookies | None = None,
    ) -> None:
        self._unreturned = unreturned or UnreturnedCookies(settings)
        self._secure, self._chosen = (cookie or settings.cookie).secure, cookie is not None
        self._cookies = SessionCookies(
            cookie or settings.cookie,
            id_length=settings.id_length,
            remembered=settings.clients_remembered,
            spelling=spelling,
            on_return=self._unreturned.note_returned,
        )
        plain = settings.plain_http_cookie if cookie is None else None
        self.plain: Final[SessionIdResolver | None] = (
            None
            if plain is None
            else SessionIdResolver(settings, plain, spelling=spelling, unreturned=self._unreturned)
        )
        """The channels of requests over plain http that present no id by the safe cookie; None if there is no other
        cookie (S-24).
        """
        self.shares_name: Final = plain is not None and plain.name == settings.cookie.name
        """Whether the two cookies have one name, so that only the scheme tells them apart."""
        self._strays: list[Header] = [(b"set-cookie", cookie) for cookie in self._cookies.clear_strays()]
        self._header = None if settings.header is None else IdHeader(settings.header, id_length=settings.id_length)
        self.read: Final[Callable[[Iterable[Any]], PresentedCredentials]] = (
            self._cookies.read if self._header is None else self._read_both
        )
        """The credentials in the headers of an ASGI scope. Without a configured header, this is the scan of cookies."""
        self.vary: Final[Header] = VARY if self._header is None else (b"vary", b"Cookie, " + self._header.name)
        """The field with the request's fields on which a response depends if the session was accessed (S-40)."""

    def choose(self, headers: Iterable[Any], scheme: str | None) -> tuple[SessionIdResolver, PresentedCredentials]:
        """The channels for the response to a request, and the credentials that it presents.

        The safe cookie counts over plain http too: behind a proxy with TLS, and for browsers that trust localhost. Over
        https no other counts, as an attacker on the network can plant one without Secure.
        """
        presented = self.read(headers)
        is_found = presented.finding is not ABSENT and not self.shares_name
        # An id by header is compared with each cookie that may contradict it.
        is_final = is_found and not (presented.carrier is BY_HEADER and presented.finding is PRESENT)
        if is_final or self.plain is None or scheme not in PLAIN_SCHEMES:
            return self, presented
        return self.plain, self.plain.read(headers)

    def _read_both(self, headers: Iterable[Any]) -> PresentedCredentials:
        headers = list(headers)
        by_cookie = self._cookies.read(headers)
        return by_cookie if self._header is None else self._header.choose_source(by_cookie, headers)

    def fields_for(
        self, unit: UnitOfWork, presented: PresentedCredentials, requests: RequestSessions, *, scope: Mapping[str, Any]
    ) -> tuple[list[Header], bool]:
        """The response's fields for the client's session, and whether they concern the id itself (S-33).

        Args:
            unit: the state of the request's session when the response starts.
            presented: the credentials of the request.
            requests: the operations on sessions of requests.
            scope: the scope of the request.
        """
        carrier = presented.carrier
        if unit.id is None:
            sent = presented.finding is not ABSENT
            return (self._clear_all(presented), True) if unit.is_ended and sent else ([], False)
        max_age = requests.cookie_max_age(unit) if carrier is BY_COOKIE else None
        fields: list[Header] = []
        untold = unit.presented.finding is UNTOLD and unit.id == unit.presented.id
        credential = not untold and unit.id != presented.id and unit.id not in presented.rivals
        if credential and carrier is BY_COOKIE:
            self._look_for_plain_http(scope.get("scheme"))
            if presented.finding is ABSENT:
                self._unreturned.note_given(unit.id, scope, unit.client_address)
        if credential and self._leaves_strays(unit, presented):
            fields += self._strays
        move = None if unit.unsettled is None else requests.move_for(unit)
        watermark = move or requests.watermark_for(unit)
        if watermark is not None:
            if carrier is BY_HEADER and self._header is not None:
                fields.append(self._header.set_watermark(watermark))
            else:
                fields.append((b"set-cookie", self._cookies.set_watermark(watermark, max_age=max_age)))
            if move is None and unit.id == presented.id and presented is unit.presented:
                self._cookies.expect(presented, watermark, requests.resolve_next(unit))
        says_how_long = (max_age is not None or unit.cookie_seconds is not None) and unit.is_committed and not untold
        if credential or (says_how_long and requests.has_latest_id(unit)):
            # Last, for front ends that keep one Set-Cookie of a response: without the watermark the session works.
            fields.append(self.set_id(carrier, unit.id, max_age=max_age))
        return fields, credential

    def _leaves_strays(self, unit: UnitOfWork, presented: PresentedCredentials) -> bool:
        """Whether the browser would continue to send other cookies beside the new id, which replaces only one.

        That is so with an unknown id: it may have been set with other attributes than the present ones.
        """
        unknown = presented.id is not None and unit.served_from is FROM_NEW
        return presented.carrier is BY_COOKIE and (presented.strays or unknown)

    def _clear_all(self, presented: PresentedCredentials) -> list[Header]:
        fields = self.clear(presented.carrier)
        return [*self._strays, *fields] if presented.strays else fields

    def set_id(self, carrier: CredentialChannel, session_id: str, *, max_age: int | None) -> Header:
        """The response's field that gives the client its id.

        Args:
            carrier: the channel of the client's credentials.
            session_id: the id.
            max_age: seconds that a cookie shall be kept; None until the browser is closed.
        """
        if carrier is BY_HEADER and self._header is not None:
            return self._header.set_id(session_id)
        return b"set-cookie", self._cookies.set_id(session_id, max_age=max_age)

    def clear(self, carrier: CredentialChannel) -> list[Header]:
        """The response's fields that declare that the client has no session any more."""
        if carrier is BY_HEADER and self._header is not None:
            return self._header.clear()
        return [(b"set-cookie", cookie) for cookie in self._cookies.clear()]

    def _look_for_plain_http(self, scheme: str | None) -> None:
        """S-24, S-25: in production, behind a proxy with TLS, the scheme does not show the client's connection."""
        if scheme not in PLAIN_SCHEMES:
            return
        if self._chosen:
            _log_once.warning(
                "plain_http",
                "a request came over plain http, and env is development, so its session's cookie has no Secure; a site "
                'behind a proxy with TLS sets env = "production"',
            )
        elif self._secure:
            _log_once.warning(
                "plain_http",
                "a request came over plain http, and browsers return a Secure cookie only over TLS or to localhost; "
                "that is correct behind a proxy with TLS; otherwise there is the setting cookie.insecure",
            )
