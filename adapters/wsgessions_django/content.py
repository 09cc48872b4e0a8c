"""The half of a `SessionStore` that does not change the store: the session's id, its content, its expiry."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
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
from wsgessions.errors import SessionGone, SessionNotLoaded
from wsgessions.session import names_in, unit_of
from wsgessions.session.changes import UNAVAILABLE
from wsgessions.session.lazy_values import LazyValue

from .configuration import current_manager
from .expiry import check_expiry, cookie_age, ends_with_browser, is_over, put_in_force, seconds_left
from .login import USER, draw_id_for_user
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
        self._of_request: Final = None if request is None else request.session
        self._is_marked = False
        self.is_muted: bool = False
        """Whether `modified` was set to False, and nothing was changed since."""
        self.is_gone: bool = False
        """Whether the session has ended elsewhere."""
        self.is_deleted: bool = False
        """Whether this object has deleted the session, whose id and content it still shows, as Django's do."""
        self._is_asked_for = False
        if request is not None:
            self.manager, self.core, self.is_left_out = request
        else:
            self.manager = current_manager()
            self.is_left_out = False
            super().__init__(None if session_key is None else bare(session_key))
            self.is_muted = False

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

    def _get_or_create_session_key(self) -> str:
        return self.manager.requests.reserve_id(unit_of(self.core))

    async def _aget_or_create_session_key(self) -> str:
        return self._get_or_create_session_key()

    @property
    def is_in_request(self) -> bool:
        """Whether this is the session that the middleware has begun, whose end and new id it carries out."""
        return self._of_request is not None and self.core is self._of_request

    @property
    def is_asked_for(self) -> bool:
        """Whether the commit has to store a new session, even an empty one: its id was told (`cycle_key`)."""
        return self._is_asked_for and unit_of(self.core).record is None

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

    @_session_cache.setter
    def _session_cache(self, content: Mapping[str, Any]) -> None:
        if content is not self.core:
            content = dict(content)
            core = self._get_session(no_load=True)
            core.clear()
            core.update(content)

    @_session_cache.deleter
    def _session_cache(self) -> None:
        self._start(unit_of(self.core).id)

    @property
    def is_unloaded(self) -> bool:
        """Whether there is an id whose session was not looked up yet."""
        core = self.core
        return unit_of(core).access is UNAVAILABLE and isinstance(unit_of(core).reason(), SessionNotLoaded)

    async def _bring(self) -> None:
        await self.core.load()
        await self._heed_expiry()

    async def _heed_expiry(self) -> None:
        if is_over(self.manager, self.core):
            self.core.invalidate()
            if not self.is_in_request:
                await self.manager.requests.repository.carry_out(self.core)

    def show_nothing(self) -> None:
        """Be empty, for the error page, and never saved again: the session has ended elsewhere."""
        record = unit_of(self.core).record
        self.core = self.manager.requests.begin(PresentedCredentials())
        if record is not None:
            unit_of(self.core).unknown_key = record.key  # so that no login of its client is undone by another (C-24)
        self.is_gone, self.is_deleted = not self.is_deleted, False

    def load(self) -> dict[str, Any]:
        """The attributes in the store now, without changes that are not saved; none for an unknown id.

        The object shows them too, except where it has changes itself.
        """
        return self._wait(self.aload)

    async def aload(self) -> dict[str, Any]:
        """See `load`."""
        if unit_of(self.core).record is None:
            await self._bring()
        else:
            try:
                await self.manager.requests.repository.refresh(self.core)
            except SessionGone:
                self.show_nothing()
            else:
                await self._heed_expiry()
        self.core.mark_accessed()
        return {name: LazyValue.of(raw, name).decoded() for name, raw in unit_of(self.core).stored.raw.items()}

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._heed_user(key)

    async def aset(self, key: str, value: Any) -> None:
        """Set an attribute, as ``session[key] = value``."""
        await super().aset(key, value)
        self._heed_user(key)

    def update(self, dict_: Any) -> None:  # type: ignore[override]  # as Django has it
        """Set attributes."""
        super().update(dict_)
        self._heed_user(USER)

    async def aupdate(self, dict_: Any) -> None:
        """See `update`."""
        await super().aupdate(dict_)
        self._heed_user(USER)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._heed_user(key)

    def pop(self, key: str, *default: Any, **named: Any) -> Any:
        """Remove an attribute, and return it."""
        with self._muted_as_before():
            value = super().pop(key, *default, **named)
        self._heed_user(key)
        return value

    async def apop(self, key: str, *default: Any, **named: Any) -> Any:
        """See `pop`."""
        with self._muted_as_before():
            value = await super().apop(key, *default, **named)
        self._heed_user(key)
        return value

    @contextmanager
    def _muted_as_before(self) -> Generator[None]:
        """Django's methods set `modified` to what it is, so to False if there is nothing to remove."""
        muted = self.is_muted
        try:
            yield
        finally:
            self.is_muted = muted and not self._is_marked

    def clear(self) -> None:
        """Remove all attributes; the id stays. Django has no async variant of this: ``await session.aload()`` first."""
        self._session.clear()
        self._is_marked, self.is_muted = True, False
        self._heed_user(USER)

    def _heed_user(self, changed: str) -> None:
        if changed == USER:
            draw_id_for_user(self.core)

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
        """Whether there is anything to save: a change, in nested values too, or an announced one.

        Setting it to False is to leave out what was changed so far, unless there is another change: a request does not
        save it. ``save()`` does.
        """
        return self._is_marked or (not self.is_muted and self.core.modified)

    @modified.setter
    def modified(self, value: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._is_marked, self.is_muted = value, not value

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
