"""Django's session engine of wsgessions: the `SessionStore` that ``SESSION_ENGINE = "wsgessions_django"`` names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from django.contrib.sessions.backends.base import CreateError, UpdateError

from wsgessions import Session
from wsgessions.credentials.presented import PresentedCredentials
from wsgessions.credentials.session_id import AnyId, bare
from wsgessions.errors import SessionGone
from wsgessions.session import unit_of

from .content import SessionContent
from .login import bind_on_login

__all__ = ["SessionStore"]


class SessionStore(SessionContent):
    """One session, with Django's methods of sessions; ``get_session(request)`` has those of wsgessions.

    Differences from Django's own engines:

    * Only changed attributes are sent, nested changes are found, and values may be of all types of `wsgessions.codec`.
    * ``modified`` need not be set to True. Set to False it drops what a request has changed so far, as in Django.
    * In a request, `flush` and `cycle_key` take effect on the object at once and at the store with the commit, before
      the response starts and whatever its status is; elsewhere at once. The old id never stays valid.
    * If the store does not answer, each access to the session raises; it never looks like an empty session.
    * No content of a session that has ended elsewhere is saved under another id; `create` ends the old id.
    * A change of the user's attribute draws the next id at once. The session is stored under it with the next save.

    Methods that are no coroutines may be called from any thread. In an async view whose session was not loaded before,
    they would block the event loop that they wait for; that is a `SynchronousOnlyOperation`.

    Args:
        session_key: the presented id, as text or as `wsgessions.SessionId`; an unknown one is dropped, and never
            adopted (S-03).

    Raises:
        ConfigError: a setting is wrong.
    """

    # As in the base, which documents them: declared again, because they are set here too.
    is_gone: bool
    is_deleted: bool

    # -- changes at the store ------------------------------------------------------------------------------------------

    def exists(self, session_key: AnyId) -> bool:
        """Whether there is a session with this id."""
        other, _ = self._begun(session_key)
        del session_key  # before any possible error, so that no frame shows it (S-80)
        return self._wait(lambda: self._is_there(other))

    async def aexists(self, session_key: AnyId) -> bool:
        """See `exists`."""
        other, _ = self._begun(session_key)
        del session_key
        return await self._is_there(other)

    async def _is_there(self, other: Session) -> bool:
        await self.manager.requests.repository.load(other)
        return unit_of(other).record is not None

    def _begun(self, session_key: AnyId | None) -> tuple[Session, bool]:
        """The session with this id, not loaded yet, and whether it is this object's; a new one if the id is malformed.

        An id that this object's session will have with its next save finds it under the present one.
        """
        text = "" if session_key is None else bare(session_key)
        del session_key
        is_own = text != "" and text == self.session_key
        if is_own:
            text = unit_of(self.core).id or ""
        known = text if self._validate_session_key(text) else None
        return self.manager.requests.begin(PresentedCredentials(known)), is_own

    def create(self) -> None:
        """Store the session now, even an empty one, under a new id; an existing one gets it with its changes."""
        self._wait(self.acreate)

    async def acreate(self) -> None:
        """See `create`."""
        core = await self._aget_session()
        self._begin_after_delete(core)
        if unit_of(core).record is None:
            await self._create(core)
        elif self.is_in_request:
            core.rotate_id()
        else:
            core.rotate_id()
            bind_on_login(core)
            await self._updating(lambda: self.manager.requests.repository.commit(core))
        self.modified = True

    async def _create(self, core: Session) -> None:
        bind_on_login(core)
        await self._updating(lambda: self.manager.requests.repository.create(core))
        self.is_gone = self._is_asked_for = False
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        """Send the changes now.

        Args:
            must_create: whether an existing session is an error.

        Raises:
            CreateError: the session exists.
            UpdateError: the session does not exist any more; checked at the store, whatever is in this process's
                memory.
            CodecError: a value cannot be stored.
            StoreUnavailable: the store did not answer.
        """
        self._wait(lambda: self.asave(must_create))

    async def asave(self, must_create: bool = False) -> None:
        """See `save`."""
        is_first_look = self.is_unloaded
        core = await self._aget_session()
        if must_create:
            self._begin_after_delete(core)
        if self.is_gone or self.is_deleted:
            raise UpdateError("the session has ended")
        record = unit_of(core).record
        if record is None:
            if is_first_look and not (must_create or self.is_in_request):
                raise UpdateError("there is no session with this id")
            await self._create(core)
        elif must_create:
            raise CreateError
        else:
            bind_on_login(core)
            await self._updating(lambda: self.manager.requests.repository.commit(core))
            if unit_of(core).record is record:  # nothing was sent, so the store was not asked
                await self._updating(lambda: self.manager.requests.repository.refresh(core))
                await self.manager.requests.touch(unit_of(core))

    async def _updating(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except SessionGone as error:
            self.show_nothing()
            raise UpdateError(str(error)) from error

    def delete(self, session_key: AnyId | None = None) -> None:
        """End a session at the store, by default this one; `create` then stores its content as another session."""
        session, is_own = self._begun(self.session_key if session_key is None else session_key)
        del session_key
        self._wait(lambda: self._remove(session, is_own=is_own))

    async def adelete(self, session_key: AnyId | None = None) -> None:
        """See `delete`."""
        session, is_own = self._begun(self.session_key if session_key is None else session_key)
        del session_key
        await self._remove(session, is_own=is_own)

    async def _remove(self, session: Session, *, is_own: bool) -> None:
        await session.load()
        await session.invalidate()
        if is_own and unit_of(self.core).is_accessed:
            self.is_deleted = True
        elif is_own:
            await self._aget_session()
            self._begin_anew()

    def _begin_after_delete(self, core: Session) -> None:
        """Turn the content of a session that this object has deleted into that of a new one."""
        if self.is_deleted:
            content = core.copy()
            self._begin_anew()
            core.update(content)

    def _begin_anew(self) -> None:
        self._end()
        unit_of(self.core).pending_delete = None  # that is done

    def flush(self) -> None:
        """End the session. Attributes set afterwards make a new one, with a new id."""
        self._get_session()
        self._end()
        if not self.is_in_request:
            self._wait(lambda: self.manager.requests.repository.carry_out(self.core))

    async def aflush(self) -> None:
        """See `flush`."""
        await self._aget_session()
        self._end()
        if not self.is_in_request:
            await self.manager.requests.repository.carry_out(self.core)

    def _end(self) -> None:
        self.core.invalidate()
        unit_of(self.core).reserved_id = None
        self.is_gone = self.is_deleted = self._is_asked_for = False
        self.modified = True

    def cycle_key(self) -> None:
        """Give the session a new id and end the old one, as at every login (S-06)."""
        self._get_session()
        if self.is_in_request:
            self._rotate_with_commit()
        else:
            self._wait(self.acreate)

    async def acycle_key(self) -> None:
        """See `cycle_key`."""
        await self._aget_session()
        if self.is_in_request:
            self._rotate_with_commit()
        else:
            await self.acreate()

    def _rotate_with_commit(self) -> None:
        self._begin_after_delete(self.core)
        if unit_of(self.core).record is None:
            # So that a receiver of the login's signal can store it.
            self._get_or_create_session_key()
            self._is_asked_for, self.is_gone = True, False
        else:
            self.core.rotate_id()
        self.modified = True

    @classmethod
    def clear_expired(cls) -> None:
        """Does nothing: the store removes expired sessions."""

    @classmethod
    async def aclear_expired(cls) -> None:
        """See `clear_expired`."""
