"""One HTTP request, or one WebSocket, with its session: from the id that came in to the id that goes out.

Changes are committed before the headers leave, and the headers wait for the store's reply; a redirect can therefore
never overtake what it relies on (C-13). What changes later is committed at the end, if the client holds the id
already.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from ..errors import StoreUnavailable, WsgessionsError
from ..internal.log_throttle import LogThrottle
from .body_to_come import BodyToCome, sealed
from .connections import LongConnection, OpenSocket, OpenStream, ancestry, is_open_ended
from .error_responses import close_message, error_response_for, send_error_response
from .late_commit import commit_late
from .telling import NOTHING, Telling
from .types import ASGIApp, Message, Receive, Scope, Send, opens_response

if TYPE_CHECKING:
    from ..credentials.presented import PresentedCredentials
    from ..manager import SessionManager
    from ..session import Session
    from .id_resolver import SessionIdResolver

__all__ = ["Exchange"]

_logger = logging.getLogger("wsgessions.request")
_log = LogThrottle(_logger)
_NEVER_CREATING: Final = frozenset({"HEAD", "OPTIONS"})


class _Refused(Exception):
    """Ends the application's call after its response was replaced. Never leaves this module."""


class Exchange(Telling):
    """Runs the application once, around its session."""

    __slots__ = (
        "_budget",
        "_host",
        "_long",
        "_lost",
        "_replaced",
        "_send",
        "_start",
        "_started",
        "_takes_late_changes",
    )

    def __init__(
        self,
        manager: SessionManager,
        transport: SessionIdResolver,
        presented: PresentedCredentials,
        scope: Scope,
        send: Send,
    ) -> None:
        self._manager = manager
        self._transport = transport
        self._presented = presented
        self._scope = scope
        self._send = send
        self._told = NOTHING
        self._started = False
        self._start: Message = {}
        self._host: asyncio.Task[Any] | None = None
        self._long: LongConnection | None = None
        self._replaced: WsgessionsError | None = None
        self._lost: OSError | None = None
        self._budget = manager.budget
        self._takes_late_changes = manager.takes_late_changes
        client = scope.get("client")
        self.session: Session = manager.begin(presented, peer=client[0] if client else None)
        self.session._client_is_told = True

    async def run(self, app: ASGIApp, receive: Receive, *, load: bool) -> None:
        """Load the session, run the application, keep what it changed.

        Args:
            app: the application.
            receive: its channel.
            load: whether to load now; else the session asks for ``await session.load()``.
        """
        try:
            if self.session._id is not None and not (load and self._manager.recall(self.session)):
                await self._load(now=load)
            self._scope["session"] = self.session
            if self._scope["type"] == "websocket":
                self._long = socket = OpenSocket(self._manager, self.session, self._scope, receive, self._send)
                receive = socket.receive
            self._host = asyncio.current_task()
            try:
                await app(self._scope, receive, self.send)
            except Exception as error:  # noqa: BLE001 - it is raised again, or answered
                await self._conclude(error)
            except asyncio.CancelledError:
                if self._long is None or not self._long.cut:
                    self._withhold()
                    raise
                await self._conclude(None)
            else:
                session, long = self.session, self._long is not None
                unnoted = session._accessed and not self._note_use()
                if unnoted or long or self._replaced is not None or session._is_pending():
                    await self._conclude(None)
        finally:
            if self._long is not None:
                self._long.stop()
            self._manager.retire(self.session)

    async def _load(self, *, now: bool) -> None:
        if not now:
            self._manager.leave_unloaded(self.session)
            return
        began = time.monotonic()
        try:
            await self._manager.load(self.session, deadline=began + self._budget)
        except StoreUnavailable as error:
            # No error until the session is touched; the session has kept it.
            _log.warning("load_failed", "a session could not be loaded: %s", error)
        self._budget -= time.monotonic() - began

    # -- on the way out ------------------------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """The application's send channel."""
        if self._replaced is not None:
            return
        if not self._started and opens_response(message):
            session = self.session
            if (session._accessed or message.get("status", 200) >= 500) and self._needs_store(message):
                await self._settle(message)
            if session._accessed:
                message = self.tell(message)
            elif self._host is not None and message["type"] == "http.response.start":
                message, self._send = self.watched(message, self._send)
            self._start, self._started = message, True
            session._freeze(takes_late_changes=self._takes_late_changes)
            if self._long is not None:
                await self._long.opened(message)
        elif (self._long is not None or message.get("more_body")) and not await self._admit(message):
            return
        try:
            await self._send(message)
        except OSError as error:
            del message  # it may hold a new id
            self._lost = error
            raise

    async def _admit(self, message: Message) -> bool:
        """Whether to send on, on a connection that may outlive its session (C-17)."""
        if self._long is None:
            if self._host is None:
                return True
            if not self.session._accessed and not isinstance(self._send, BodyToCome):
                self._send = sealed(self._send, self.session)
            if not is_open_ended(self._start):
                self._host = None
                return True
            self._long = OpenStream(self._manager, self.session, self._host)
        return await self._long.admit(message)

    def _needs_store(self, message: Message) -> bool:
        """Whether the store must be asked or told something before these headers may leave."""
        session, manager = self.session, self._manager
        changes = message.get("status", 200) >= 500 or session._is_pending() or manager.renews or session._followed
        return changes or manager.ends_soon(session)

    async def _settle(self, message: Message) -> None:
        """Keep what has changed, and what else must be done before the headers leave."""
        session, manager = self.session, self._manager
        status = message.get("status", 200)
        if status >= 500:
            await self._refuse_instead_of_500(status)
            if not manager.settings.save_on_error:
                session._drop_changes()
        renews = self._scope["type"] == "http" and manager.renewal_due(session)
        if renews or session._is_pending():
            deadline, create = time.monotonic() + self._budget, self._may_create(message)
            try:
                await manager.commit(session, deadline=deadline, create=create, renew=renews)
            except WsgessionsError as error:
                await self._refuse(error)
        if session._accessed and manager.ends_soon(session):
            await manager.touch(session)

    async def open_inside(self, message: Message, send: Send) -> tuple[Message, Send]:
        """Do for a layer inside what is done before the headers leave: the start of the response, and its channel then.

        The application's 5xx are left to the outside, where it shows whether they are what the client gets (R-33).
        """
        if self._started or self._replaced is not None:
            return message, send
        if not self.session._accessed:
            return self.watched(message, send)
        if message.get("status", 200) < 500:
            if self._needs_store(message):
                await self._settle(message)
            message = self.tell_inside(message)
        return message, send

    async def _refuse_instead_of_500(self, status: int) -> None:
        """An error handler has made a 500 of our own error: give the answer that fits it (F-00a)."""
        trouble = self.session._trouble
        if status == 500 and trouble is not None and error_response_for(trouble).operational:
            await self._refuse(trouble)

    async def _refuse(self, error: WsgessionsError) -> None:
        """Replace the response, and end the application's call."""
        refusal = error_response_for(error)
        _log.warning("response_replaced", "answered %d in place of the application: %s", refusal.status, error)
        self._started, self._replaced = True, error
        await send_error_response(refusal, self._scope, self._send, self._new_id_fields())
        raise _Refused from error

    def _may_create(self, message: Message) -> bool:
        """Neither a denied WebSocket nor a HEAD or OPTIONS request makes a session (R-41, R-47)."""
        return message["type"] != "websocket.http.response.start" and self._scope.get("method") not in _NEVER_CREATING

    # -- at the end ----------------------------------------------------------------------------------------------------

    async def _conclude(self, error: Exception | None) -> None:
        """The application's call is over: it has returned, or ``error`` has come out of it."""
        if self._long is not None:
            await self._long.conclude(error)
            if self._long.ended:
                return
        if self._replaced is not None:
            self._after_refusal(self._replaced, error)
        elif error is None:
            await self._after_return()
        elif any(each is self._lost for each in ancestry(error)):
            await self._after_return()
            raise error
        else:
            await self._after_error(error)

    async def _after_return(self) -> None:
        """Keep what was changed after the headers had left (R-37, C-13)."""
        session = self.session
        if session._is_pending() and (self._started or self._scope["type"] == "websocket"):
            await commit_late(self._manager, session, refuses=self._started and not self._takes_late_changes)
        if not self._note_use():
            await self._manager.touch(session)

    def _note_use(self) -> bool:
        if self._long is not None and self._long.counts_uses:
            return True
        return self._scope.get("method") == "OPTIONS" or self._manager.note_use(self.session)

    async def _after_error(self, error: Exception) -> None:
        # A serializer that met the trouble wraps it in an error of its own: the client is answered, the server told.
        self._withhold()
        trouble = error if isinstance(error, WsgessionsError) else self.session._trouble
        answers = trouble is not None and error_response_for(trouble).operational
        self.session._drop_changes()
        await self._carry_out()
        answered = trouble is not None and answers and await self._answer(trouble)
        if not answered or trouble is not error:
            raise error

    def _withhold(self) -> None:
        """Headers that wait for a body do not leave without it, and another answer may be given in their place."""
        channel = self._send
        if isinstance(channel, BodyToCome) and channel.take_back() is not None:
            self._send, self._started = channel.below, False

    def _after_refusal(self, trouble: WsgessionsError, error: Exception | None) -> None:
        """The response is out. Faults of the application go on to the server's log; others are logged already."""
        if error is not None and not isinstance(error, _Refused):
            _logger.debug("the application's call ended after its response was replaced", exc_info=error)
        if not error_response_for(trouble).operational:
            raise trouble

    async def _carry_out(self) -> None:
        """What takes privilege away is in force although the request failed (R-31)."""
        try:
            await self._manager.owner.carry_out(self.session)
        except WsgessionsError as error:
            _logger.error(
                "a session could not be ended or unbound after a failed request: %s",
                error,
                extra={"event": "carry_out"},
            )

    async def _answer(self, error: WsgessionsError) -> bool:
        """Tell the client about a trouble that the application let through, as far as that is still possible."""
        refusal = error_response_for(error)
        if not self._started:
            await send_error_response(refusal, self._scope, self._send, self._new_id_fields())
        elif isinstance(self._long, OpenSocket) and not self._long.closed:
            await self._send(close_message(refusal))
        else:
            return False
        _log.warning("request_refused", "answered %d: %s", refusal.status, error)
        return True
