"""Making sessions for a test, and looking at them, beside the application: on a way of one's own to the same store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..asgi.session_header import NO_ID
from ..asgi.transport import Transport
from ..errors import ConfigError
from ..manager import SessionManager
from ..presented import Presented
from ..session import Session
from ..settings import SessionSettings
from ..stores.home import HomedStore
from .loop_thread import LoopThread

if TYPE_CHECKING:
    import httpx2

__all__ = ["SessionAccess", "SessionOf", "find_manager"]

EXTENSION = "wsgessions"
"""Under this name the responses of `SessionClients` carry the manager."""


class SessionAccess:
    """Creates and reads sessions for synchronous callers, in whatever loop the application has its own links.

    Args:
        thread: where that is done.
    """

    def __init__(self, thread: LoopThread) -> None:
        self._thread = thread
        self._besides: dict[int, tuple[SessionManager, SessionManager]] = {}

    def create(self, manager: SessionManager, attributes: Mapping[str, Any]) -> str:
        """Store a new session with these attributes, at least one, and return its id.

        Raises:
            CodecError: an attribute cannot be stored.
            StoreUnavailable: the store did not answer.
        """
        return self._thread.run(_create(self._beside(manager), attributes))

    def read(self, manager: SessionManager, session_id: str | None) -> Session:
        """The session as it is in the store now; a new one if there is none."""
        return self._thread.run(_read(self._beside(manager), session_id))

    def _beside(self, manager: SessionManager) -> SessionManager:
        """A manager with the same settings and sessions, whose links are not the application's.

        The application's may live in the event loop that waits for us.
        """
        _, beside = self._besides.get(id(manager), (None, None))
        if beside is None:
            settings = SessionSettings.load(manager.settings, {"max_bytes_on_heap": 0, "max_bytes_off_heap": 0})
            store = None if isinstance(manager.store, HomedStore) else manager.store
            beside = SessionManager(settings, store=store)
            self._besides[id(manager)] = manager, beside
        return beside

    def close(self) -> None:
        """Leave the stores."""
        for manager, beside in self._besides.values():
            if beside.store is not manager.store:
                self._thread.run(beside.close())
        self._besides.clear()


async def _create(manager: SessionManager, attributes: Mapping[str, Any]) -> str:
    session = manager.begin(Presented())
    session.update(attributes)
    await manager.commit(session)
    assert session.id is not None, "a session was created without an id"
    return session.id.get_secret_value()


async def _read(manager: SessionManager, session_id: str | None) -> Session:
    session = manager.begin(Presented(session_id))
    if session_id is not None:
        await manager.load(session)
    return session


class SessionOf:
    """The fixture `session_of`.

    Args:
        access: to the stores.
    """

    def __init__(self, access: SessionAccess) -> None:
        self._access = access

    def __call__(self, response: httpx2.Response, app: object = None) -> Session:
        """The session to which the next request of this response's browser would belong, as the store has it now.

        Args:
            response: of a client of the fixture `session_client`, or of any other that keeps httpx's responses.
            app: the application or its manager, for responses of other clients.

        Returns:
            A copy to look at; new and empty if there is no session, as after a logout.

        Raises:
            ConfigError: the application has no manager that can be found.
            StoreUnavailable: the store did not answer.
            TypeError: ``app`` is needed for this response.
        """
        manager = response.extensions.get(EXTENSION) if app is None else find_manager(app)
        if manager is None:
            raise TypeError("this response's client does not tell the application: session_of(response, app)")
        return self._access.read(manager, _id_after(response, manager.settings))


def _id_after(response: httpx2.Response, settings: SessionSettings) -> str | None:
    """The id that the browser holds after this response."""
    if settings.header is not None and settings.header in response.headers:
        told = response.headers[settings.header]
        return None if told.encode() == NO_ID else told
    for cookie in reversed(response.headers.get_list("set-cookie")):
        name, _, rest = cookie.partition("=")
        if name == settings.cookie.name:
            return rest.partition(";")[0] or None
    return Transport(settings).read(response.request.headers.raw).id


def find_manager(app: object) -> SessionManager:
    """The manager of an application: the one that its adapter, or the `SessionMiddleware`, has left there.

    Args:
        app: the application; a manager is its own.

    Raises:
        ConfigError: there is none.
    """
    extensions = getattr(app, "extensions", None)
    state = getattr(app, "state", None)
    candidates = [
        app,
        getattr(app, "manager", None),
        getattr(state, "wsgessions", None),
        extensions.get("wsgessions") if isinstance(extensions, Mapping) else None,
    ]
    for candidate in candidates:
        if isinstance(candidate, SessionManager):
            return candidate
    inner = getattr(app, "app", None)
    if inner is not None and inner is not app:
        return find_manager(inner)
    raise ConfigError(
        f"an object of class {type(app).__module__}.{type(app).__qualname__} has no sessions that can be found",
        setting="adapter",
        hint="install them first, or give the manager: manager=...",
    )
