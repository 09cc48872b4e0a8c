"""The half of a `SessionStore` that does not change the store: the session's id, its content, its expiry."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final, NamedTuple, Self, TypeVar

from django.conf import settings as django_settings
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone
from django.utils.module_loading import import_string

from wsgessions import Session, SessionManager
from wsgessions.credentials.identity import is_well_formed, new_session_id
from wsgessions.credentials.presented import PresentedCredentials
from wsgessions.credentials.session_id import AnyId, bare
from wsgessions.errors import SessionNotLoaded
from wsgessions.session import names_in, unit_of
from wsgessions.session.changes import UNAVAILABLE

from .configuration import current_manager
from .expiry import check_expiry, cookie_age, ends_with_browser, is_over, put_in_force, seconds_left
from .login import USER, rotate_for_user
from .waiting import wait

__all__ = ["SessionContent"]

T = TypeVar("T")


class RequestContent(NamedTuple):
    """The session of a request, as it is passed to `SessionContent.of_request`."""

    manager: SessionManager
    session: Session
    left_out: bool


class SessionContent(SessionBase):
    """A `wsgessions.Session` with Django's methods. Loaded at its first access, unless the middleware has done so."""

    manager: SessionManager
    """The manager of the session."""
    core: Session
    """The session."""
    is_left_out: bool
    """Whether the request's path is excluded from loading."""

    def __init__(self, session_key: AnyId | None = None, *, request: RequestContent | None = None) -> None:
        self.is_in_request: Final = request is not None
        """Whether the middleware commits the session."""
        self._is_marked = False
        self._is_gone = False
        if request is not None:
            self.manager, self.core, self.is_left_out = request
        else:
            self.manager = current_manager()
            self.is_left_out = False
            super().__init__(None if session_key is None else bare(session_key))

    @classmethod
    def of_request(cls, manager: SessionManager, session: Session, *, left_out: bool) -> Self:
        """The session of a request, which the middleware commits.

        Args:
            manager: the manager of the session.
            session: the session.
            left_out: whether the request's path is excluded from loading.
        """
        return cls(request=RequestContent(manager, session, left_out))

    def loaded(self, *, unless_left_out: bool) -> Session:
        """The session, loaded now if it was not; with ``unless_left_out`` not if its path is excluded from loading."""
        return self._get_session(no_load=unless_left_out and self.is_left_out)

    def _start(self, session_key: str | None) -> None:
        known = session_key is not None and self._validate_session_key(session_key)
        self.core = self.manager.requests.begin(PresentedCredentials(session_key if known else None))
        if known:
            unit_of(self.core).defer_load(self.core)

    @cached_property
    def serializer(self) -> Any:
        """The serializer of `encode` and `decode`. The sessions themselves are not stored by it."""
        return import_string(django_settings.SESSION_SERIALIZER)

    # -- identity ------------------------------------------------------------------------------------------------------

    def _validate_session_key(self, key: object) -> bool:
        return isinstance(key, str) and is_well_formed(key, self.manager.settings.id_length)

    @property
    def session_key(self) -> str | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The id that the client has, or will receive with the commit; None if that is not known yet."""
        core = self.core
        return unit_of(core).pending_id or unit_of(core).id or unit_of(core).reserved_id

    @property
    def _session_key(self) -> str | None:
        return self.session_key

    @_session_key.setter
    def _session_key(self, value: str | None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if not hasattr(self, "core") or value != self.session_key:
            self._start(value)

    def _get_new_session_key(self) -> str:
        return new_session_id(self.manager.settings.id_length)

    async def _aget_new_session_key(self) -> str:
        return self._get_new_session_key()

    # -- content -------------------------------------------------------------------------------------------------------

    def _get_session(self, no_load: bool = False) -> Session:
        if not no_load and self.is_unloaded:
            self._wait(self._bring)
        self.core.mark_accessed()
        return self.core

    async def _aget_session(self, no_load: bool = False) -> Session:
        if not no_load and self.is_unloaded:
            await self._bring()
        self.core.mark_accessed()
        return self.core

    _session = property(_get_session)

    @property
    def _session_cache(self) -> Session:
        if self.is_unloaded:
            raise AttributeError("the session is not loaded yet")
        return self.core

    @property
    def is_unloaded(self) -> bool:
        """Whether there is an id whose session was not looked up yet."""
        core = self.core
        return unit_of(core).access is UNAVAILABLE and isinstance(unit_of(core).reason(), SessionNotLoaded)

    async def _bring(self) -> None:
        await self.manager.requests.repository.load(self.core)
        if is_over(self.manager, self.core):
            self.core.invalidate()
            if not self.is_in_request:
                await self.manager.requests.repository.carry_out(self.core)

    def show_nothing(self) -> None:
        """Be empty, for the error page, and never saved again: the session has ended elsewhere."""
        self.core = self.manager.requests.begin(PresentedCredentials())
        self._is_gone = True

    def load(self) -> Session:
        """The attributes, loaded from the store unless they are loaded already; none for an unknown id."""
        self._wait(self._bring)
        return self._get_session()

    async def aload(self) -> Session:
        """See `load`."""
        await self._bring()
        return await self._aget_session()

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        if key == USER:
            rotate_for_user(self.core, value)

    async def aset(self, key: str, value: Any) -> None:
        """Set an attribute, as ``session[key] = value``."""
        await super().aset(key, value)
        if key == USER:
            rotate_for_user(self.core, value)

    def clear(self) -> None:
        """Remove all attributes; the id stays. Django has no async variant of this: ``await session.aload()`` first."""
        self._session.clear()
        self._is_marked = True

    def is_empty(self) -> bool:
        """Whether there is neither an id nor an attribute. False for a session that could not be loaded (F-00a)."""
        return self.session_key is None and not names_in(self.core)

    @property
    def accessed(self) -> bool:
        """Whether the session was accessed."""
        return self.core.accessed

    @accessed.setter
    def accessed(self, value: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        unit_of(self.core).is_accessed = value

    @property
    def modified(self) -> bool:
        """Whether there is anything to save: a change, in nested values too, or an announced one."""
        return self._is_marked or self.core.modified

    @modified.setter
    def modified(self, value: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._is_marked = value

    # -- expiry --------------------------------------------------------------------------------------------------------

    def get_session_cookie_age(self) -> int:
        """Seconds that a session without its own expiry may be idle: ``SESSION_COOKIE_AGE`` or the setting."""
        return cookie_age(self.manager)

    def get_expiry_age(self, **kwargs: Any) -> int:
        """Seconds until the session ends if it is not used, as in Django; no more than `absolute_timeout` leaves."""
        return min(super().get_expiry_age(**kwargs), seconds_left(self.manager, self.core))

    async def aget_expiry_age(self, **kwargs: Any) -> int:
        """See `get_expiry_age`."""
        return min(await super().aget_expiry_age(**kwargs), seconds_left(self.manager, self.core))

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        """The instant to which `get_expiry_age` leads."""
        return min(super().get_expiry_date(**kwargs), timezone.now() + self._left())

    async def aget_expiry_date(self, **kwargs: Any) -> datetime:
        """See `get_expiry_date`."""
        return min(await super().aget_expiry_date(**kwargs), timezone.now() + self._left())

    def _left(self) -> timedelta:
        return timedelta(seconds=seconds_left(self.manager, self.core))

    def set_expiry(self, value: datetime | timedelta | int | None) -> None:
        """Set the expiry, as in Django; `absolute_timeout` is never exceeded.

        Raises:
            ValueError: more seconds than a record can hold; nothing was changed.
        """
        check_expiry(value)
        super().set_expiry(value)
        put_in_force(self.manager, self._session)

    async def aset_expiry(self, value: datetime | timedelta | int | None) -> None:
        """See `set_expiry`."""
        check_expiry(value)
        await super().aset_expiry(value)
        put_in_force(self.manager, await self._aget_session())

    def get_expire_at_browser_close(self) -> bool:
        """Whether the cookie ends when the browser is closed."""
        expiry = self.get("_session_expiry")
        return ends_with_browser(self.manager) if expiry is None else bool(expiry == 0)

    async def aget_expire_at_browser_close(self) -> bool:
        """See `get_expire_at_browser_close`."""
        await self._aget_session()
        return self.get_expire_at_browser_close()

    def _wait(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return wait(self.manager, work)
