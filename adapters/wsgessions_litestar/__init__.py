"""wsgessions for Litestar: ``request.session``, shared by all servers."""

from .adapter import LitestarAdapter
from .backend import WsgessionsSessionBackend
from .config import WsgessionsSessionConfig
from .connection import get_session

__all__ = ["LitestarAdapter", "WsgessionsSessionBackend", "WsgessionsSessionConfig", "get_session"]
