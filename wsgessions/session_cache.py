"""A cache of aiocache that stores its values in the session of the current request.

```python
@aiocache.cached(cache=SessionCache, ttl=60)
async def recommendations() -> list[str]: ...
```
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from . import codec
from .errors import CodecError
from .internal.log_throttle import LogThrottle
from .internal.masked import masked
from .session import Session, unit_of
from .session.changes import Access
from .web.current_session import current_session, follow

if TYPE_CHECKING:
    NullSerializer: Any

    class BaseCache:
        """aiocache has no types: this is the part of its class that is used."""

        def __init__(self, **options: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
else:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # an old library on a new Python
        from aiocache.base import BaseCache
        from aiocache.serializers import NullSerializer

__all__ = ["SessionCache"]

_PREFIX: Final = "aiocache:"
_READABLE: Final = frozenset({Access.UNTOUCHED, Access.OPEN, Access.READ_ONLY})
_WRITABLE: Final = frozenset({Access.UNTOUCHED, Access.OPEN})

_log = LogThrottle(logging.getLogger("wsgessions.aiocache"))


@masked
class _Memo(NamedTuple):
    """One cached value, as an attribute of the session."""

    written: float
    """Seconds since the epoch, as `ends`."""
    ends: float | None
    raw: bytes
    """The encoded value: each reader gets its own copy."""


class SessionCache(BaseCache):
    """Memoises per visitor: pass the class, or an object of it, to `aiocache.cached` or `aiocache.multi_cached`.

    Values are of the types that a session can store. A value is not stored, so that the function is called again,
    outside of a request, on a path without session, after the response of a request without session has started, and if
    it is too large or of a wrong type. Keys are stored as digests.

    `aiocache.cached_stampede` is not supported: its locks are shared by all visitors.

    Args:
        max_entries: the largest number of results in one session; the oldest are removed first. By default 32.
        max_bytes: the largest size of all of them together. By default 64 KiB.
        creates: whether to create a session for a visitor without one. By default not: the result would rarely be used,
            and each new session takes memory in the store.
        options: those of every cache of aiocache: ``ttl`` in seconds, ``namespace``, ``serializer`` and others.
    """

    NAME = "session"

    def __init__(
        self, *, max_entries: int = 32, max_bytes: int = 64 * 1024, creates: bool = False, **options: Any
    ) -> None:
        options["serializer"] = options.get("serializer") or NullSerializer()
        super().__init__(**{"timeout": None, **options})
        self.max_entries: Final = max_entries
        self.max_bytes: Final = max_bytes
        self.creates: Final = creates
        follow("SessionCache")

    # Called by aiocache

    async def _get(self, key: str, encoding: str | None = "utf-8", _conn: object = None) -> Any:
        memo = self._memo(key)
        return None if memo is None else codec.decode(memo.raw, name=_name_of(key))

    async def _gets(self, key: str, encoding: str | None = "utf-8", _conn: object = None) -> Any:
        return await self._get(key)

    async def _multi_get(self, keys: Iterable[str], encoding: str | None = "utf-8", _conn: object = None) -> list[Any]:
        return [await self._get(key) for key in keys]

    async def _set(
        self, key: str, value: Any, ttl: float | None = None, _cas_token: Any = None, _conn: object = None
    ) -> bool:
        session = _session_to(_WRITABLE)
        if session is None or not (self.creates or session or not session.is_new):
            return False
        expected = _cas_token
        if expected is not None and await self._get(key) != expected:
            return False
        try:
            raw = codec.encode(value, name=_name_of(key), to_plain=unit_of(session).to_plain)
        except CodecError as error:
            _log.warning("not_cached", "a result cannot be stored in the session: %s", error)
            return False
        now = time.time()
        if len(raw) > self.max_bytes:
            _log.warning("not_cached", "a result of %d bytes is too large to be stored in the session", len(raw))
            return False
        session[_name_of(key)] = tuple(_Memo(now, now + ttl if ttl else None, raw))
        self._make_room(session)
        return True

    async def _multi_set(
        self, pairs: Iterable[tuple[str, Any]], ttl: float | None = None, _conn: object = None
    ) -> bool:
        return all([await self._set(key, value, ttl) for key, value in pairs])

    async def _add(self, key: str, value: Any, ttl: float | None = None, _conn: object = None) -> bool:
        if self._memo(key) is not None:
            raise ValueError("the key exists; use set to replace its value")
        return await self._set(key, value, ttl)

    async def _exists(self, key: str, _conn: object = None) -> bool:
        return self._memo(key) is not None

    async def _increment(self, key: str, delta: int, _conn: object = None) -> int:
        value = await self._get(key) or 0
        if not isinstance(value, int):
            raise TypeError("the value of this key is not an integer")
        await self._set(key, value + delta)
        return value + delta

    async def _expire(self, key: str, ttl: float, _conn: object = None) -> bool:
        memo, session = self._memo(key), _session_to(_WRITABLE)
        if memo is None or session is None:
            return False
        session[_name_of(key)] = tuple(memo._replace(ends=time.time() + ttl if ttl else None))
        return True

    async def _delete(self, key: str, _conn: object = None) -> int:
        session = _session_to(_WRITABLE)
        return 0 if session is None or session.pop(_name_of(key), None) is None else 1

    async def _clear(self, namespace: str | None = None, _conn: object = None) -> bool:
        if namespace:
            raise ValueError("keys are digests here, which do not show their namespace; clear all")
        session = _session_to(_WRITABLE)
        if session is not None:
            for name in _names_in(session):
                del session[name]
        return True

    async def _redlock_release(self, key: str, value: str) -> int:
        raise TypeError("the locks of cached_stampede are shared by all visitors; use cached")

    # Memos

    @staticmethod
    def _memo(key: str) -> _Memo | None:
        session = _session_to(_READABLE)
        memo = None if session is None else _memo_in(session, _name_of(key))
        return None if memo is None or (memo.ends is not None and memo.ends <= time.time()) else memo

    def _make_room(self, session: Session) -> None:
        """Remove expired entries, and then the oldest, until the limits are kept."""
        now = time.time()
        memos = {name: memo for name in _names_in(session) if (memo := _memo_in(session, name))}
        left, size = len(memos), sum(len(memo.raw) for memo in memos.values())
        for name, memo in sorted(memos.items(), key=lambda each: each[1].written):
            over = memo.ends is not None and memo.ends <= now
            if over or left > self.max_entries or size > self.max_bytes:
                del session[name]
                left, size = left - 1, size - len(memo.raw)


def _session_to(use: frozenset[Access]) -> Session | None:
    """The session of this request, if it permits that access; this check must never raise."""
    session = current_session()
    return session if session is not None and unit_of(session).access in use else None


def _name_of(key: str) -> str:
    return _PREFIX + sha256(str(key).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _names_in(session: Session) -> list[str]:
    return [name for name in session if name.startswith(_PREFIX)]


def _memo_in(session: Session, name: str) -> _Memo | None:
    """The entry; None also for another value that the application has stored under such a name."""
    match session.get(name):
        case [float() as written, float() | None as ends, bytes() as raw]:
            return _Memo(written, ends, raw)
        case _:
            return None
