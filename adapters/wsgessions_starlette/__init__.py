"""wsgessions for Starlette: ``request.session``, shared by all servers."""

from .adapter import StarletteAdapter
from .connection import get_session

__all__ = ["StarletteAdapter", "get_session"]
