"""Visitors of a Django site: over WSGI, over ASGI by Django's test client, and over ASGI by the adapter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from json import dumps, loads
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.test import AsyncClient, Client

from wsgessions.testing.adapters.client import BASE_URL
from wsgessions_django import current_manager
from wsgessions_django.asgi import wrap

NONE: Mapping[str, str] = {}
FORM = "application/x-www-form-urlencoded"

__all__ = ["KINDS", "Answer", "Visitor", "views", "visitor"]


class Answer:
    """What a visitor is answered, whoever has asked."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers if name.lower() != "set-cookie"}
        self.fields = [value for name, value in headers if name.lower() == "set-cookie"]
        self.cookies = {name: value for name, _, value in (field.partition("=") for field in self.fields)}
        self.text = body.decode()

    def json(self) -> Any:
        """The body, which is JSON."""
        return loads(self.text)

    def __repr__(self) -> str:
        return f"<{self.status} {self.text[:200]!r}>"


class Visitor:
    """Sends requests and keeps cookies. Each request has an event loop of its own, where it needs one."""

    kind: str
    """One of `KINDS`."""

    def get(
        self,
        path: str,
        method: str = "GET",
        *,
        form: Mapping[str, str] = NONE,
        json: object = None,
        headers: Mapping[str, str] = NONE,
    ) -> Answer:
        """What a request is answered; it has a form, or this object as JSON, or no body."""
        raise NotImplementedError

    def post(self, path: str, **form: str) -> Answer:
        """A form that is sent."""
        return self.get(path, "POST", form=form)

    def json(self, path: str) -> Any:
        """What a page answers in JSON, which must be a 200."""
        answer = self.get(path)
        assert answer.status == 200, answer
        return answer.json()

    @property
    def id(self) -> str | None:
        """The session id that it would send."""
        raise NotImplementedError

    def copy(self) -> Visitor:
        """A visitor that has the same cookies now, and its own from now on."""
        raise NotImplementedError

    def another(self) -> Visitor:
        """One of the same kind, without cookies; of the site as it is now."""
        return KINDS[self.kind]()


class OfDjango(Visitor):
    """By Django's own test client."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.kind = "asgi" if isinstance(client, AsyncClient) else "wsgi"
        client.raise_request_exception = False
        self.client = client

    def get(
        self,
        path: str,
        method: str = "GET",
        *,
        form: Mapping[str, str] = NONE,
        json: object = None,
        headers: Mapping[str, str] = NONE,
    ) -> Answer:
        fields = {**headers, "referer": BASE_URL}
        # Django 5.2 gives its asynchronous client's `headers` names with underscores, which no server does.
        options: dict[str, Any] = dict(fields) if self.kind == "asgi" else {"headers": fields}
        kind, given = (FORM, urlencode(form)) if json is None else ("application/json", dumps(json))
        options = {**options, "secure": True, "data": given}
        answer: Any = self.client.generic(method, path, content_type=kind, **options)
        if isinstance(self.client, AsyncClient):
            answer = asyncio.run(_read(answer))
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        answer.close()
        for name in [name for name, cookie in self.client.cookies.items() if cookie["max-age"] == "0"]:
            del self.client.cookies[name]  # as browsers do
        cookies = [("Set-Cookie", cookie.OutputString()) for cookie in answer.cookies.values()]
        return Answer(answer.status_code, [*answer.items(), *cookies], body)

    @property
    def id(self) -> str | None:
        cookie = self.client.cookies.get(settings.SESSION_COOKIE_NAME)
        return cookie.value or None if cookie is not None else None

    def copy(self) -> OfDjango:
        other = OfDjango(type(self.client)(enforce_csrf_checks=True))
        other.client.cookies.load({name: cookie.value for name, cookie in self.client.cookies.items()})
        return other


async def _read(answering: Any) -> Any:
    """Django's asynchronous client answers before a stream is read."""
    answer = await answering
    if answer.streaming and answer.is_async:
        answer.streaming_content = [part async for part in answer.streaming_content]
    return answer


class OfAdapter(Visitor):
    """By the adapter, as a server calls it."""

    kind = "adapter"

    def __init__(self, cookies: httpx2.Cookies | None = None) -> None:
        self._app: Any = wrap(get_asgi_application(), manager=current_manager())  # type: ignore[arg-type]
        self._cookies = httpx2.Cookies(cookies)

    def get(
        self,
        path: str,
        method: str = "GET",
        *,
        form: Mapping[str, str] = NONE,
        json: object = None,
        headers: Mapping[str, str] = NONE,
    ) -> Answer:
        body = {"data": dict(form)} if json is None else {"json": json}
        return asyncio.run(self._get(path, method, body, {**headers, "referer": BASE_URL}))

    async def _get(self, path: str, method: str, body: dict[str, Any], headers: dict[str, str]) -> Answer:
        transport = httpx2.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE_URL, cookies=self._cookies) as client:
            answer = await client.request(method, path, headers=headers, **body)
            self._cookies = httpx2.Cookies(client.cookies)
            return Answer(answer.status_code, answer.headers.multi_items(), answer.content)

    @property
    def id(self) -> str | None:
        return self._cookies.get(settings.SESSION_COOKIE_NAME)

    def copy(self) -> OfAdapter:
        return OfAdapter(self._cookies)


KINDS: dict[str, Callable[[], Visitor]] = {
    "wsgi": lambda: OfDjango(Client(enforce_csrf_checks=True)),
    "asgi": lambda: OfDjango(AsyncClient(enforce_csrf_checks=True)),
    "adapter": OfAdapter,
}


@pytest.fixture(params=KINDS)
def visitor(request: pytest.FixtureRequest, manager: object) -> Visitor:
    return KINDS[request.param]()


@pytest.fixture(params=["sync", "async"])
def views(request: pytest.FixtureRequest) -> str:
    return str(request.param)
