"""wsgessions for Django: ``request.session``, shared by all servers. ``SESSION_ENGINE = "wsgessions_django"``."""

from .adapter import DjangoAdapter
from .configuration import current_manager
from .connection import get_session
from .engine import SessionStore
from .middleware import SessionMiddleware
from .migration import TakeoverMiddleware

__all__ = [
    "DjangoAdapter",
    "SessionMiddleware",
    "SessionStore",
    "TakeoverMiddleware",
    "current_manager",
    "get_session",
]
