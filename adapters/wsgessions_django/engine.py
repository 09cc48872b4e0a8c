"""Django's session engine over wsgessions: the `SessionStore` that ``SESSION_ENGINE = "wsgessions_django"`` names."""

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
    """One session, with the words that Django has for sessions; ``get_session(request)`` has those of wsgessions.

    What differs from Django's own engines, none of it to be done anything about:

    * Only changed attributes are sent, nested changes are found, values may be all that `wsgessions.codec` knows.
    * ``modified`` may be set to True, which is harmless; setting it to False undoes no change.
    * In a request, `flush` and `cycle_key` take effect here at once and at the store with the commit, before the
      response starts and whatever it is; elsewhere at once. The old id never stays behind.
    * A store that does not answer raises, wherever the session is touched, and never passes for an empty session.

    Methods that are no coroutines may be called from any thread. In an async view, where the session was not loaded
    before, they would stop the event loop that they wait for; that is a `SynchronousOnlyOperation`.

    Args:
        session_key: the id that was presented, as text or as `wsgessions.SessionId`; an unknown one is dropped, and
            never adopted (S-03).

    Raises:
        ConfigError: a setting is wrong.
    """

    # -- what the store is told ----------------------------------------------------------------------------------------

    def exists(self, session_key: AnyId) -> bool:
        """Whether there is a session of this id."""
        other = self._begun(session_key)
        del session_key  # before anything can fail: no frame shows it (S-80)
        return self._wait(lambda: self._is_there(other))

    async def aexists(self, session_key: AnyId) -> bool:
        """See `exists`."""
        other = self._begun(session_key)
        del session_key
        return await self._is_there(other)

    async def _is_there(self, other: Session) -> bool:
        await self.manager.requests.repository.load(other)
        return unit_of(other).record is not None

    def _begun(self, session_key: AnyId | None) -> Session:
        """The session of this id, not loaded yet; a new one if it can be none."""
        text = "" if session_key is None else bare(session_key)
        return self.manager.requests.begin(PresentedCredentials(text if self._validate_session_key(text) else None))

    def create(self) -> None:
        """Store a session now, even an empty one, under a new id; one that exists moves to the new id."""
        self._wait(self.acreate)

    async def acreate(self) -> None:
        """See `create`."""
        core = await self._aget_session()
        if unit_of(core).record is None:
            await self.manager.requests.repository.create(core)
        elif self.is_in_request:
            core.rotate_id()
        else:
            await self._updating(core.rotate_id)
        self._is_marked = True

    def save(self, must_create: bool = False) -> None:
        """Send what has changed, now.

        Args:
            must_create: whether it is an error if there is such a session.

        Raises:
            CreateError: there is one.
            UpdateError: there is none any more; found out at the store, whatever is in this process's memory.
            CodecError: a value cannot be stored.
            StoreUnavailable: the store did not answer.
        """
        self._wait(lambda: self.asave(must_create))

    async def asave(self, must_create: bool = False) -> None:
        """See `save`."""
        core = await self._aget_session()
        record = unit_of(core).record
        if self._is_gone:
            raise UpdateError("the session has ended elsewhere")
        bind_on_login(core)
        if record is None:
            await self.manager.requests.repository.create(core)
        elif must_create:
            raise CreateError
        else:
            await self._updating(lambda: self.manager.requests.repository.commit(core))
            if unit_of(core).record is record:  # nothing was sent, so the store has said nothing
                await self._updating(lambda: self.manager.requests.repository.refresh(core))
                await self.manager.requests.touch(unit_of(core))

    async def _updating(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except SessionGone as error:
            self.show_nothing()
            raise UpdateError(str(error)) from error

    def delete(self, session_key: AnyId | None = None) -> None:
        """End a session at the store, by default this one, which then cannot be saved any more."""
        doomed = self._begun(self.session_key if session_key is None else session_key)
        del session_key
        self._wait(lambda: self._remove(doomed))

    async def adelete(self, session_key: AnyId | None = None) -> None:
        """See `delete`."""
        doomed = self._begun(self.session_key if session_key is None else session_key)
        del session_key
        await self._remove(doomed)

    async def _remove(self, doomed: Session) -> None:
        await self.manager.requests.repository.load(doomed)
        await doomed.invalidate()

    def flush(self) -> None:
        """End the session. What is put in afterwards makes a new one, with a new id."""
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
        self._is_marked = True

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
        if unit_of(self.core).record is None:
            # So that a receiver of the login's signal can note it.
            self.manager.requests.reserve_id(unit_of(self.core))
        else:
            self.core.rotate_id()
        self._is_marked = True

    @classmethod
    def clear_expired(cls) -> None:
        """Nothing to do: the store removes sessions when their time has come."""

    @classmethod
    async def aclear_expired(cls) -> None:
        """See `clear_expired`."""
