"""All sessions in Django's terms, for the admin: a page of them, and the users that they belong to (E-8)."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from wsgessions.manager import LivePage, LiveSession
from wsgessions.store.capabilities import Countable, find_capability

from .configuration import current_manager
from .devices import USER_AGENT, principal_of

__all__ = ["end_session", "live_session", "page_of_all", "users_of"]


@async_to_sync
async def page_of_all(cursor: str | None, limit: int) -> tuple[LivePage, int | None]:
    """A page of all live sessions, and the number of all; None if the store does not count them.

    Raises:
        InvalidCursor: the cursor is of no such page.
        StoreUnavailable: the store did not answer.
        ConfigError: the store cannot list sessions.
    """
    manager = current_manager()
    page = await manager.live_sessions(cursor, limit=limit, attributes=[USER_AGENT])
    counting = find_capability(manager.store, Countable)
    return page, None if counting is None else await counting.count(deadline=manager.requests.repository.deadline())


@async_to_sync
async def live_session(ref: str) -> LiveSession | None:
    """See `SessionManager.live_session`."""
    return await current_manager().live_session(ref)


@async_to_sync
async def end_session(ref: str) -> bool:
    """See `SessionManager.end_session`."""
    return await current_manager().end_session(ref)


def users_of(sessions: Iterable[LiveSession]) -> dict[str, Any]:
    """The users of these sessions by their principals, in one query.

    A principal that no user of this project has is left out: it may be of another application that shares the sessions.
    """
    users: Any = get_user_model()
    keys = set[Any]()
    for principal in {live.principal for live in sessions}:
        if principal is not None:
            with suppress(ValidationError):
                keys.add(users._meta.pk.clean(principal, None))
    return {principal_of(user): user for user in users._default_manager.filter(pk__in=keys)} if keys else {}
