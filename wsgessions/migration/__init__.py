"""Moving from another session library: what its visitors have is taken over into sessions of ours, once each (S-75).

`TakeoverMiddleware` does it for any application; an `LegacySessions` reads what one library has kept.
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
