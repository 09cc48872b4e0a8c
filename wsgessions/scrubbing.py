"""Removes session ids from the events of an error tracker: Sentry's, or any others made of dicts and lists (S-80).

```python
sentry_sdk.init(..., before_send=Scrubber(), before_send_transaction=Scrubber())
```

The objects of wsgessions in frames show no id, but the request does: its Cookie header is in the scope of every ASGI
application, and Sentry's own list of names does not contain those of our cookies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from .settings import SessionSettings

__all__ = ["FILTERED", "Scrubber", "names_to_hide"]

_Event = TypeVar("_Event")

FILTERED: Final = "[Filtered]"
"""The replacement for removed values; Sentry's own word."""

_COOKIES: Final = ("__Host-sid", "__Secure-sid", "sid")
_OF_CONTEXTS: Final = r"(?:__Host-|__Secure-)?sid\.[\w%~.-]+"
"""The default names of applications with a `context_path`, which `Scrubber` knows without their settings."""
_OCTETS: Final = re.compile(r"b(['\"])(.*)\1")
_VARIABLES: Final = ("session_id", "session_key", "sessionid")


def names_to_hide(settings: SessionSettings | None = None, *more: str) -> list[str]:
    """The names of ids and watermarks, in lower case: cookies, headers, and variables of applications.

    For ``EventScrubber(denylist=[*DEFAULT_DENYLIST, *names_to_hide(settings)])``.

    Args:
        settings: those of the application, where it has a cookie or a header of its own.
        more: names of further cookies, such as that of a library during a migration.
    """
    cookies = [*_COOKIES, *more]
    headers: list[str] = []
    if settings is not None:
        plain = settings.plain_http_cookie
        cookies += [settings.cookie.name] if plain is None else [settings.cookie.name, plain.name]
        headers += [] if settings.header is None else [settings.header, f"{settings.header}-watermark"]
    names = [*cookies, *(f"{name}-v" for name in cookies), *headers, *_VARIABLES]
    return list(dict.fromkeys(name.lower() for name in names))


class Scrubber:
    """A function for ``before_send``: hides the values of these names in all parts of an event.

    That is the value of a dict's key, the second of a pair such as a header, and ``name=value`` inside any text. Names
    are compared without regard to case, and a header's with hyphens or underscores.

    Args:
        settings: as for `names_to_hide`.
        more: as for `names_to_hide`.
    """

    def __init__(self, settings: SessionSettings | None = None, *more: str) -> None:
        names = names_to_hide(settings, *more)
        self._names = frozenset(map(_plain, names))
        self._pairs = re.compile(rf"(?<![\w-])({_OF_CONTEXTS}|{_either(names)})(\s*=\s*)[^\s;,'\"\\&]+", re.IGNORECASE)

    def __call__(self, event: _Event, hint: object = None) -> _Event:
        """The event without them: the same object where it is a dict or a list, which is changed in place."""
        scrubbed: _Event = self._scrubbed(event)
        return scrubbed

    def _scrubbed(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._pairs.sub(rf"\1\2{FILTERED}", value)
        if isinstance(value, dict):
            for name in value:
                value[name] = FILTERED if self._is_hidden(name) and value[name] else self._scrubbed(value[name])
        elif isinstance(value, list):
            value[:] = self._scrubbed_items(value)
        elif type(value) is tuple:
            return tuple(self._scrubbed_items(value))
        return value

    def _scrubbed_items(self, items: list[Any] | tuple[Any, ...]) -> list[Any]:
        if len(items) == 2 and self._is_hidden(items[0]):
            return [items[0], FILTERED]
        return [self._scrubbed(item) for item in items]

    def _is_hidden(self, name: object) -> bool:
        return isinstance(name, str) and (_plain(name) in self._names or _of_context(name) is not None)


_of_context: Final = re.compile(_OF_CONTEXTS, re.IGNORECASE).fullmatch


def _plain(name: str) -> str:
    """A name as it is compared: ``b'x-session-id'`` is how a tracker shows that of a header in a scope."""
    quoted = _OCTETS.fullmatch(name)
    return (quoted[2] if quoted else name).removeprefix("HTTP_").lower().replace("_", "-")


def _either(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
