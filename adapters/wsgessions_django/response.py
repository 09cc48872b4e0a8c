"""The session's headers in one of Django's responses (S-33, S-40, S-41)."""

from __future__ import annotations

from http.cookies import Morsel
from typing import Any

from django.http.response import HttpResponseBase

from wsgessions.web.response_headers import Header, Headers

__all__ = ["headers_of", "set_headers"]


class ExactCookie(Morsel[str]):
    """A cookie that is sent exactly as it was written, unless it is changed: Python's own lacks some attributes.

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
        """The text, with the changes that the project's middleware has made."""
        if (self.coded_value, dict(self)) == self._written:
            return self._text
        return super().OutputString(attrs) + self._unknown


def headers_of(response: HttpResponseBase) -> list[Header]:
    """The header fields without cookies, which the session does not change."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]


def set_headers(response: HttpResponseBase, headers: Headers) -> None:
    """Set the header fields of the response to these, cookies included."""
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
        # Django keeps one cookie per name; if duplicates of ours are removed and ours are set, there are two.
        again = cookie.key in {each.key for each in ours[index + 1 :]}
        response.cookies[f"{cookie.key} {index}" if again else cookie.key] = cookie
