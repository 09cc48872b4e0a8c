"""What a session adds to the headers of a response of Django's (S-33, S-40, S-41)."""

from __future__ import annotations

from http.cookies import Morsel
from typing import Any

from django.http.response import HttpResponseBase

from wsgessions.web.response_headers import Header, Headers

__all__ = ["headers_of", "set_headers"]


class ExactCookie(Morsel[str]):
    """A cookie that is sent to the letter as it was written, unless it is changed: Python's own has not all attributes.

    Args:
        text: the value of a Set-Cookie field.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        pair, *attributes = text.split("; ")
        name, _, value = pair.partition("=")
        self.set(name, value, value)
        for attribute in attributes:
            key, _, said = attribute.partition("=")
            if self.isReservedKey(key):
                self[key] = said or True
        self._text = text
        self._written = (self.coded_value, dict(self))
        self._unknown = "".join(f"; {each}" for each in attributes if not self.isReservedKey(each.partition("=")[0]))

    def OutputString(self, attrs: Any = None) -> str:  # noqa: N802 - Python's name
        """The text; what a middleware of the project has changed of the cookie holds."""
        if (self.coded_value, dict(self)) == self._written:
            return self._text
        return super().OutputString(attrs) + self._unknown


def headers_of(response: HttpResponseBase) -> list[Header]:
    """The header fields, cookies left out, which the session does not change."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]


def set_headers(response: HttpResponseBase, headers: Headers) -> None:
    """Give the response these header fields, cookies among them, and no others."""
    fields = {name: value.decode("latin-1") for name, value in headers if name != b"set-cookie"}
    for name, _ in headers_of(response):
        if name not in fields:
            del response[name.decode("latin-1")]
    for name, value in fields.items():
        label = name.decode("latin-1").title()
        if response.get(label) != value:
            response[label] = value
    ours = [ExactCookie(value.decode("latin-1")) for name, value in headers if name == b"set-cookie"]
    for index, cookie in enumerate(ours):
        # Django keeps one cookie of a name; where ours are set and strays beside them removed, there are two.
        again = cookie.key in {each.key for each in ours[:index]}
        response.cookies[f"{cookie.key} {index}" if again else cookie.key] = cookie
