"""What the headers of one response tell: the client of its session, and caches of the response.

They are told by the exchange, which is outermost. Middleware between it and the application, such as a cache, would see
none of them; so they can be told inside as well (`wsgessions.web.headers_inside`), and are then not told twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..credentials.presented import ABSENT
from .body_to_come import BodyToCome, is_made_on_the_way
from .response_headers import Header, octet_pairs, with_session_headers, with_unknown_use
from .types import Message, Scope, Send

if TYPE_CHECKING:
    from ..credentials.presented import PresentedCredentials
    from ..manager import SessionManager
    from ..session import Session
    from .id_resolver import SessionIdResolver

__all__ = ["NOTHING", "Telling"]

_SEQUENCES: Final = frozenset({list, tuple})
NOTHING: Final[list[Header]] = []
"""No header fields; never changed."""


class Telling:
    """The part of an `Exchange` that is about the headers of its response."""

    __slots__ = ("_manager", "_presented", "_scope", "_told", "_transport", "session")

    session: Session
    _manager: SessionManager
    _presented: PresentedCredentials
    _scope: Scope
    _transport: SessionIdResolver
    _told: list[Header]
    """What was told inside."""

    def tell(self, message: Message) -> Message:
        """A copy of a response's opening message, with what the client is to know of its session, and caches of it."""
        session = self.session
        if session._record is not None and session._record is session._known_to_client:
            return with_session_headers(message, NOTHING, no_store=session._uncacheable, vary=self._transport.vary)
        fields, credential = self._decide_fields()
        told = bool(self._told)
        if told:
            message, fields = self._without_told(message, fields)
        no_store = credential or session._uncacheable
        return with_session_headers(message, fields, no_store=no_store, vary=self._transport.vary, private=told)

    def tell_inside(self, message: Message) -> Message:
        """As `tell`, for a layer inside. What was changed must have been committed."""
        if self.session._record is None or self.session._record is not self.session._known_to_client:
            self._told = self._decide_fields()[0]
        return self.tell({**message, "headers": [*(message.get("headers") or ()), *self._told]})

    def foresee(self, message: Message) -> Message:
        """A copy of the opening message of a response whose body may look at the session."""
        presented = self._presented.finding is not ABSENT
        return with_unknown_use(message, private=presented, vary=self._transport.vary)

    def watched(self, start: Message, send: Send) -> tuple[Message, Send]:
        """The start of a response for which the session was not looked at so far, and the channel by which it goes on.

        Args:
            start: the opening message.
            send: the channel below.
        """
        if type(start.get("headers")) not in _SEQUENCES:
            start = {**start, "headers": list(start.get("headers") or ())}
        return start, BodyToCome(send, self.session, self.foresee) if is_made_on_the_way(start) else send

    def _without_told(self, message: Message, fields: list[Header]) -> tuple[Message, list[Header]]:
        """The message without what does not hold any more, and the fields that are still to be told.

        Layers between may have changed the session, the cookies, or the whole response.
        """
        headers = [(name.lower(), value) for name, value in octet_pairs(message.get("headers") or ())]
        stale = [field for field in self._told if field not in fields]
        kept = [header for header in headers if header not in stale]
        there = {_subject(header) for header in kept}
        missing = [field for field in fields if field not in self._told or _subject(field) not in there]
        return {**message, "headers": kept}, missing

    def _decide_fields(self) -> tuple[list[Header], bool]:
        return self._transport.fields_for(self.session, self._presented, self._manager, self._scope)

    def _new_id_fields(self) -> list[Header]:
        """What the client must know although its request is refused: the id to which its session has moved already."""
        fields, credential = self._decide_fields()
        tells = credential or self.session._unsettled is not None
        return fields if tells and self.session._id is not None else []


def _subject(header: Header) -> tuple[bytes, bytes]:
    """What a field is about: its name, and that of the cookie which it sets."""
    name, value = header
    return name, value.partition(b"=")[0].strip() if name == b"set-cookie" else b""
