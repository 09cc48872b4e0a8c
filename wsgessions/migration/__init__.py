"""Moving from another session library: what its visitors have is taken over into sessions of ours, once each (S-75).

`TakeoverMiddleware` does it for any application; an `OldSessions` reads what one library has kept.
"""

from .derived_ids import UserOf
from .flask_session import FlaskSessions
from .importer import Takeover
from .in_redis import RedisClient
from .middleware import TakeoverMiddleware
from .quart_session import QuartSessions
from .source import OldSessions
from .starsessions import Starsessions

__all__ = [
    "FlaskSessions",
    "OldSessions",
    "QuartSessions",
    "RedisClient",
    "Starsessions",
    "Takeover",
    "TakeoverMiddleware",
    "UserOf",
]
