"""Waits for the store in synchronous code of Django."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from django.core.exceptions import SynchronousOnlyOperation

from wsgessions import SessionManager
from wsgessions.stores.loop.sync import is_in_store_loop, wait_for

__all__ = ["wait"]

T = TypeVar("T")


def wait(manager: SessionManager, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of a coroutine that waits for the manager's store only.

    Raises:
        SynchronousOnlyOperation: the caller is in the event loop of the store, which would wait for itself.
        StoreUnavailable: the store did not answer.
    """
    if is_in_store_loop(manager.store):
        raise SynchronousOnlyOperation(
            "this call would block the loop that it waits for. In async code, use the method of the session whose "
            "name begins with an a, such as await request.session.asave(). Reading and writing attributes needs none "
            "where wsgessions_django.SessionMiddleware has loaded the session."
        )
    return wait_for(manager.store, work, deadline=manager.requests.repository.deadline())
