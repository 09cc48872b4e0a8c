"""Migration from another session library: each of its sessions becomes one of wsgessions, once (S-75).

`TakeoverMiddleware` does it for any application; a `LegacySessions` reads the sessions of one library.
"""

from .derived_ids import UserOf
from .flask_session import FlaskSessions
from .importer import SessionImporter
from .in_redis import RedisClient
from .middleware import TakeoverMiddleware
from .quart_session import QuartSessions
from .source import LegacySessions
from .starsessions import Starsessions

__all__ = [
    "FlaskSessions",
    "LegacySessions",
    "QuartSessions",
    "RedisClient",
    "Starsessions",
    "SessionImporter",
    "TakeoverMiddleware",
    "UserOf",
]
