"""The calls of one server of the sample to the others: whether they answer, and requests for a visitor."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from .places import BIND_HOST, Place

__all__ = ["answers", "ask", "wait_until"]

_CONNECT_SECONDS: Final = 0.5
_ASK_SECONDS: Final = 5.0
_STEP_SECONDS: Final = 0.03


async def answers(place: Place) -> bool:
    """Whether a process accepts connections there."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(BIND_HOST, place.port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


async def wait_until(place: Place, *, up: bool, seconds: float) -> bool:
    """Wait until the server answers, or until it does not any more.

    Returns:
        Whether that happened in time.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while await answers(place) != up:  # noqa: ASYNC110 - another process knows of no event of ours
                await asyncio.sleep(_STEP_SECONDS)
            return True
    return False


async def ask(place: Place, path: str, headers: Mapping[str, str]) -> Any:
    """POST to another server, or to this one, and read its JSON answer.

    Raises:
        OSError: it could not be reached, broke off or refused.
    """
    return await asyncio.to_thread(_post, place, path, headers)


def _post(place: Place, path: str, headers: Mapping[str, str]) -> Any:
    connection = HTTPConnection(BIND_HOST, place.port, timeout=_ASK_SECONDS)
    try:
        connection.request("POST", path, headers=dict(headers))
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            raise ConnectionError(f"{place.label} answered {answer.status}")
        return json.load(answer)
    except HTTPException as error:
        raise ConnectionError(f"{place.label} broke off") from error
    finally:
        connection.close()
