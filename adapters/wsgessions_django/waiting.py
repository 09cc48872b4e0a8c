"""Waits for the store in synchronous code of Django."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from django.core.exceptions import SynchronousOnlyOperation

from wsgessions import SessionManager
from wsgessions.errors import StoreUnavailable
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.stores.loop.sync import is_in_store_loop, wait_for

__all__ = ["wait", "wait_or_log"]

T = TypeVar("T")

_log: Final = LogThrottle(logging.getLogger("wsgessions.request"))


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


def wait_or_log(manager: SessionManager, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Wait for work that deals with errors of the store itself. The wait may fail too, if the store's loop hangs."""
    try:
        wait(manager, work)
    except StoreUnavailable as error:
        _log.warning("wait_failed", "the store's work for a request was not waited for: %s", error)
