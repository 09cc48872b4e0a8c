"""One HTTP request, or one WebSocket, with its session: from the cookie that came in to the cookie that goes out.

Changes are committed before the headers leave, and the headers wait for the store's reply; a redirect can therefore never
overtake what it relies on (C-13). What changes later is committed at the end, if the client holds the id already.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from .asgi import ASGIApp, Message, Receive, Scope, Send, opens_response
from .errors import SessionClosed, StoreUnavailable, WsgessionsError
from .log_throttle import LogThrottle
from .refusal import close_message, refusal_for, send_refusal
from .response_headers import with_session_headers

if TYPE_CHECKING:
    from .cookie import Presented, SessionCookies
    from .manager import SessionManager
    from .session import Session

__all__ = ["Exchange"]

_logger = logging.getLogger("wsgessions.request")
_log = LogThrottle(_logger)
_NEVER_CREATING: Final = frozenset({"HEAD", "OPTIONS"})


class _Refused(Exception):
    """Ends the application's call after its response was replaced. Never leaves this module."""


class Exchange:
    """Runs the application once, around its session."""

    __slots__ = (
        "_budget",
        "_closed",
        "_cookies",
        "_disconnected",
        "_manager",
        "_presented",
        "_replaced",
        "_scope",
        "_send",
        "_started",
        "session",
    )

    def __init__(
        self, manager: SessionManager, cookies: SessionCookies, presented: Presented, scope: Scope, send: Send
    ) -> None:
        self._manager = manager
        self._cookies = cookies
        self._presented = presented
        self._scope = scope
        self._send = send
        self._started = False
        self._closed = False
        self._replaced = False
        self._disconnected = False
        self._budget = manager.settings.nonstop_seconds
        self.session: Session = manager.begin(presented)

    async def run(self, app: ASGIApp, receive: Receive, *, load: bool) -> None:
        """Load the session, run the application, keep what it changed.

        Args:
            app: the application.
            receive: its channel.
            load: whether to load now; else the session asks for ``await session.load()``.
        """
        try:
            if self._presented.id is not None:
                await self._load(now=load)
            self._scope["session"] = self.session
            try:
                await app(self._scope, receive, self.send)
            except Exception as error:
                await self._after_error(error)
            else:
                await self._after_return()
        finally:
            self._manager.retire(self.session)

    async def _load(self, *, now: bool) -> None:
        if not now:
            self._manager.leave_unloaded(self.session)
            return
        began = time.monotonic()
        try:
            await self._manager.load(self.session, self._presented.watermark, deadline=began + self._budget)
        except StoreUnavailable as error:
            # No error until somebody touches the session; the session has kept it.
            _log.warning("load_failed", "a session could not be loaded: %s", error)
        self._budget -= time.monotonic() - began

    # -- on the way out ------------------------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """The application's send channel."""
        if self._replaced:
            return
        if not self._started and opens_response(message):
            message = await self._open_response(message)
        elif message["type"] == "websocket.close":
            self._closed = True
        try:
            await self._send(message)
        except OSError:
            self._disconnected = True
            raise

    async def _open_response(self, message: Message) -> Message:
        session = self.session
        status = message.get("status", 200)
        if status >= 500:
            await self._refuse_instead_of_500(status)
            if not self._manager.settings.save_on_error:
                session._drop_changes()
        if session._pending:
            await self._commit(create=self._may_create(message))
        self._started = True
        self._freeze()
        if not session.accessed:
            return message
        cookies, credential = self._decide_cookies()
        return with_session_headers(message, cookies, credential=credential)

    async def _refuse_instead_of_500(self, status: int) -> None:
        """An error handler has made a 500 of our own error: give the answer that fits it (F-00a)."""
        trouble = self.session._trouble
        if status == 500 and trouble is not None and refusal_for(trouble).operational:
            await self._refuse(trouble)

    async def _commit(self, *, create: bool) -> None:
        deadline = time.monotonic() + self._budget
        try:
            await self._manager.commit(self.session, deadline=deadline, create=create)
        except WsgessionsError as error:
            await self._refuse(error)

    async def _refuse(self, error: WsgessionsError) -> None:
        """Replace the response, and end the application's call."""
        refusal = refusal_for(error)
        _log.warning("response_replaced", "answered %d in place of the application: %s", refusal.status, error)
        self._started = self._replaced = True
        await send_refusal(refusal, self._scope, self._send)
        raise _Refused from error

    def _may_create(self, message: Message) -> bool:
        """Neither a denied WebSocket nor a HEAD or OPTIONS request makes a session (R-41, R-47)."""
        return message["type"] != "websocket.http.response.start" and self._scope.get("method") not in _NEVER_CREATING

    def _decide_cookies(self) -> tuple[list[bytes], bool]:
        """The cookies to send, and whether they concern the credential itself (S-33)."""
        session, presented = self.session, self._presented.id
        if session.id is None:
            return (self._cookies.clear(), True) if session._ended and presented is not None else ([], False)
        max_age = self._manager.cookie_max_age(session)
        cookies = []
        credential = session.id != presented
        if credential or (max_age is not None and session._committed):
            cookies.append(self._cookies.set_id(session.id, max_age=max_age))
        watermark = self._manager.watermark_of(session)
        if watermark is not None:
            cookies.append(self._cookies.set_watermark(watermark, max_age=max_age))
        return cookies, credential

    def _freeze(self) -> None:
        """From here on the client cannot be told any more: a session it does not know must not come into being (R-38)."""
        if self.session.is_new:
            self.session._make_read_only(_too_late_to_create)
        elif self._manager.settings.late_commit == "refuse":
            self.session._make_read_only(_too_late_to_change)

    # -- at the end ----------------------------------------------------------------------------------------------------

    async def _after_return(self) -> None:
        """Keep what was changed after the headers had left (R-37, C-13)."""
        session = self.session
        if session._pending and (self._started or self._scope["type"] == "websocket"):
            if self._manager.settings.late_commit == "refuse" and self._started and session.modified:
                raise _too_late_to_change()
            await self._manager.commit(session, create=False)
        await self._manager.touch(session)

    async def _after_error(self, error: Exception) -> None:
        if self._replaced:
            self._after_refusal(error)
            return
        if self._disconnected and isinstance(error, OSError):
            await self._after_return()
            raise error
        self.session._drop_changes()
        await self._carry_out()
        if isinstance(error, WsgessionsError) and refusal_for(error).operational and await self._answer(error):
            return
        raise error

    def _after_refusal(self, error: Exception) -> None:
        """The response is out. Faults of the application go on to the server's log; operational ones are logged already."""
        cause = error.__cause__ if isinstance(error, _Refused) else None
        if isinstance(cause, WsgessionsError) and not refusal_for(cause).operational:
            raise cause
        if not isinstance(error, _Refused):
            _logger.debug("the application's call ended after its response was replaced", exc_info=error)

    async def _carry_out(self) -> None:
        """What was invalidated or rotated stays so, although the request failed (R-31)."""
        try:
            await self._manager.owner.carry_out(self.session)
        except WsgessionsError as error:
            _logger.error(
                "a session could not be ended or rotated after a failed request: %s", error, extra={"event": "carry_out"}
            )

    async def _answer(self, error: WsgessionsError) -> bool:
        """Tell the client about a trouble that the application let through, as far as that is still possible."""
        refusal = refusal_for(error)
        if not self._started:
            await send_refusal(refusal, self._scope, self._send)
        elif self._scope["type"] == "websocket" and not self._closed:
            await self._send(close_message(refusal))
        else:
            return False
        _log.warning("request_refused", "answered %d: %s", refusal.status, error)
        return True


def _too_late_to_create() -> SessionClosed:
    return SessionClosed(
        "the response has started, so no session can be created for this client any more",
        hint="put something into the session before the response starts",
    )


def _too_late_to_change() -> SessionClosed:
    return SessionClosed('the response has started, and late_commit = "refuse" is set')
