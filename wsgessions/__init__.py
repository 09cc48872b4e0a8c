"""Clustered web sessions for ASGI applications.

```python
from wsgessions import SessionMiddleware

app = SessionMiddleware(app)  # any ASGI application; settings from the environment
```

The public names are loaded on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from . import errors
    from .credentials.session_id import SessionId
    from .install import install
    from .manager import SessionManager
    from .middleware import SessionMiddleware
    from .session import Session
    from .settings import SessionSettings
    from .stores.valkey.redis_client import from_redis

__version__ = "0.1.0"

__all__ = [
    "Session",
    "SessionId",
    "SessionManager",
    "SessionMiddleware",
    "SessionSettings",
    "__version__",
    "errors",
    "from_redis",
    "install",
]

_LAZY_EXPORTS: Final = {
    "Session": "session",
    "SessionId": "credentials.session_id",
    "SessionManager": "manager",
    "SessionMiddleware": "middleware",
    "SessionSettings": "settings",
    "from_redis": "stores.valkey.redis_client",
    "install": "install",
}


def __getattr__(name: str) -> object:
    if name == "errors":
        return import_module(".errors", __name__)
    if name not in _LAZY_EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_LAZY_EXPORTS[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
