"""Further values that Litestar's own sessions accept: stored as the plain data that Litestar would make of them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final
from uuid import UUID

from litestar.serialization import default_serializer
from litestar.utils.scope import get_serializer_from_scope
from msgspec import to_builtins

from wsgessions import Session
from wsgessions.session import unit_of

__all__ = ["accept_types_of_litestar"]

_KEPT: Final = (bytes, datetime, date, time, timedelta, Decimal, UUID)
"""The types that msgspec would turn into texts, and that a session stores as they are."""
_HANDLERS: Final = ("route_handler", "litestar_app", "app")


def accept_types_of_litestar(session: Session, scope: Any) -> None:
    """Let a session store dataclasses, structs, models, paths and what else the application can encode (R-01).

    Args:
        session: the session.
        scope: the scope of the connection, whose handler has the ``type_encoders``.
    """
    # Not the scope itself: it refers to the session, and each request would leave a cycle to the garbage collector.
    handlers = {key: scope[key] for key in _HANDLERS if key in scope}
    unit_of(session).store_too(partial(_plain_data, handlers))


def _plain_data(handlers: Any, value: Any) -> Any:
    serializer = get_serializer_from_scope(handlers) if "route_handler" in handlers else default_serializer
    return to_builtins(value, builtin_types=_KEPT, enc_hook=serializer)
