"""Starts tasks that outlive the request in which they are started.

A task inherits the context variables of its creator. A connection that is made during a request would so keep that
request, its session and the application's own variables for as long as it lives, and its logs would belong to that
request's trace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

__all__ = ["begin_task"]

T = TypeVar("T")


def begin_task(work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Start a task in the running event loop, in an empty context."""
    return asyncio.get_running_loop().create_task(work, name=name, context=Context())
