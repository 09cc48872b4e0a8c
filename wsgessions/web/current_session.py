"""The running request and its session, for code that does not get the request as an argument.

Setting a context variable costs 0.1 us a request, so it is done only in processes that have requested it.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..session import Session
    from .exchange import Exchange

__all__ = ["current_session", "follow", "followers", "running"]

running: Final[ContextVar[Exchange | None]] = ContextVar("wsgessions_exchange", default=None)
"""The latest request of the middleware, in this task or in the one that has started it."""
followers: Final[set[str]] = set()
"""The names of the parts that have requested it."""


def follow(part: str) -> None:
    """Make the middleware of this process record each request, from the next one on."""
    followers.add(part)


def current_session() -> Session | None:
    """The session of this request; None outside of requests. The request may be over already."""
    exchange = running.get()
    return None if exchange is None else exchange.request.session
