"""Moving from another session library: what its visitors have is taken over into sessions of ours, once each (S-75).

`TakeoverMiddleware` does it for any application; an `OldSessions` reads what one library has kept.
"""

from .bringing import Takeover
from .derived_ids import UserOf
from .flask_session import FlaskSessions
from .in_redis import RedisClient
from .middleware import TakeoverMiddleware
from .old_sessions import OldSessions
from .quart_session import QuartSessions
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
