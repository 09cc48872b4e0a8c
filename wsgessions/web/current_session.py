"""The request that is running here and its session, for code that is not handed the request.

Setting a context variable costs 0.1 us a request, so it is done only in processes in which it was asked for.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..session import Session
    from .exchange import Exchange

__all__ = ["current_session", "follow", "followers", "running"]

running: Final[ContextVar[Exchange | None]] = ContextVar("wsgessions_exchange", default=None)
"""What the middleware has begun last, in this task or in the one that has started it."""
followers: Final[set[str]] = set()
"""The parts that ask for it, by name."""


def follow(part: str) -> None:
    """Have the middleware of this process note each request, from the next one on."""
    followers.add(part)


def current_session() -> Session | None:
    """The session of this request; None outside of requests. It may be over already."""
    exchange = running.get()
    return None if exchange is None else exchange.request.session
