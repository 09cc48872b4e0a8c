"""wsgessions for Django: ``request.session``, shared by all servers. ``SESSION_ENGINE = "wsgessions_django"``."""

from .adapter import DjangoAdapter
from .connection import get_session
from .engine import SessionStore
from .middleware import SessionMiddleware

__all__ = ["DjangoAdapter", "SessionMiddleware", "SessionStore", "get_session"]
