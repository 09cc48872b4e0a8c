"""wsgessions for Quart: ``quart.session``, shared by all servers."""

from .adapter import QuartAdapter
from .interface import WsgessionsSessionInterface
from .session import QuartSession, get_session

__all__ = ["QuartAdapter", "QuartSession", "WsgessionsSessionInterface", "get_session"]
