"""A user's sessions in Django's terms: for a page "your devices", and for "log out everywhere" (S-55).

Each function has an async variant, whose name begins with an a.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import async_to_sync
from django.http import HttpRequest

from wsgessions.manager import LiveSession

from .configuration import current_manager
from .connection import get_session

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

__all__ = [
    "USER_AGENT",
    "adevices_of",
    "aend_device",
    "aend_devices",
    "devices_of",
    "end_device",
    "end_devices",
    "principal_of",
    "remember_user_agent",
]

USER_AGENT: Final = "user_agent"
"""The attribute in which `remember_user_agent` stores the user agent, and from which the admin reads it."""
_LONGEST: Final = 200


def principal_of(user: AbstractBaseUser) -> str:
    """The principal of a user's sessions: the primary key, as Django stores it in its sessions."""
    return str(user._meta.pk.value_to_string(user))


async def adevices_of(user: AbstractBaseUser) -> list[LiveSession]:
    """The live sessions of a user, the most recently used first, each with its attribute `USER_AGENT` if present.

    Raises:
        StoreUnavailable: the store did not answer.
        ConfigError: the store cannot find sessions by their user.
    """
    return await current_manager().sessions_of(principal_of(user), attributes=(USER_AGENT,))


async def aend_device(user: AbstractBaseUser, ref: str) -> bool:
    """Log a user out on one device, on all servers.

    Args:
        user: the owner of the session. Sessions of other users are out of reach.
        ref: `LiveSession.ref`.

    Returns:
        Whether there was such a session.

    Raises:
        AmbiguousRef: several sessions have this ref, and none was ended.
        StoreUnavailable: the store did not answer.
        ConfigError: the store cannot find sessions by their user.
    """
    return await current_manager().end_session_of(principal_of(user), ref)


async def aend_devices(user: AbstractBaseUser, *, keep: HttpRequest | None = None) -> int:
    """Log a user out on all devices, or on all others.

    Args:
        user: the user.
        keep: the request whose own session is kept.

    Returns:
        The number of ended sessions.

    Raises:
        StoreUnavailable: the store did not answer in time. Some may have been ended; call it again.
        ConfigError: the store cannot find sessions by their user.
    """
    kept = None if keep is None else get_session(keep)
    return await current_manager().end_sessions_of(principal_of(user), keep=kept)


def devices_of(user: AbstractBaseUser) -> list[LiveSession]:
    """See `adevices_of`."""
    return async_to_sync(adevices_of)(user)


def end_device(user: AbstractBaseUser, ref: str) -> bool:
    """See `aend_device`."""
    return async_to_sync(aend_device)(user, ref)


def end_devices(user: AbstractBaseUser, *, keep: HttpRequest | None = None) -> int:
    """See `aend_devices`."""
    return async_to_sync(aend_devices)(user, keep=keep)


def remember_user_agent(request: HttpRequest | None, **_: Any) -> None:
    """Store the request's user agent in the session. A project connects it: ``user_logged_in.connect(...)``."""
    if request is not None:
        request.session[USER_AGENT] = request.headers.get("User-Agent", "")[:_LONGEST]
