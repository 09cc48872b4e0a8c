"""The actions of the routes of an adapter's test application: one vocabulary for all frameworks.

The path of a route names an action, ``/do/set-color``, and the route carries it out with `perform`. So the application
of a new framework contains only the framework's own ways to reach the session and to answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from ...codec import encode
from ...session import Session

__all__ = ["CANARY", "Pause", "pauses", "perform", "perform_now", "raised", "retained"]


class Pause:
    """A point in a handler: the test waits until it is reached, and then lets the handler continue."""

    def __init__(self) -> None:
        self.reached: asyncio.Event = asyncio.Event()
        self.resume: asyncio.Event = asyncio.Event()

    async def wait(self) -> None:
        """What the handler does."""
        self.reached.set()
        await self.resume.wait()


pauses: Final[dict[str, Pause]] = {}
"""The pauses of the running test, by name: ``/do/pause-NAME`` waits there and then sets the attribute NAME."""

retained: Final[list[Session]] = []
"""Sessions that an action kept beyond their request."""


raised: Final[list[BaseException]] = []
"""Errors that actions of the running test have raised."""

CANARY: Final = "canary-value-4be1"
"""The value that ``/do/secret`` adds to a list, the attribute of that name."""


def perform_now(session: Any, action: str) -> Any:
    """Carry out an action without awaiting.

    Args:
        session: the session, as the framework provides it.
        action: a name, or a name and an argument: ``"set-color"``.

    Returns:
        The answer of the route, for JSON.
    """
    name, _, argument = action.partition("-")
    return _NOW[name](session, argument)


async def perform(session: Any, action: str) -> Any:
    """Carry out any action; as `perform_now`."""
    name, _, argument = action.partition("-")
    try:
        if name in _AWAITED:
            return await _AWAITED[name](session, argument)
        return _NOW[name](session, argument)
    except Exception as error:
        raised.append(error)
        raise


def _set(session: Session, name: str) -> None:
    session[name] = name


def _fill(session: Session, names: str) -> None:
    session.update({f"name{index}": "x" * 100 for index in range(int(names))})


def _cart(session: Session, _: str) -> None:
    session["cart"] = {"lines": []}


def _append(session: Session, sku: str) -> None:
    session["cart"]["lines"].append(sku)


def _delete(session: Session, name: str) -> None:
    del session[name]


def _invalidate(session: Session, _: str) -> None:
    session.invalidate()


def _login(session: Session, user: str) -> None:
    session.rotate_id()
    session["user"] = user


def _relogin(session: Session, user: str) -> None:
    session.invalidate()
    session["user"] = user


def _bind(session: Session, user: str) -> None:
    session.bind_user(user)


def _step_up(session: Session, user: str) -> None:
    session["second_factor_due"] = True
    session.bind_user(user)


async def _step_up_now(session: Session, user: str) -> None:
    session["second_factor_due"] = True
    await session.bind_user(user)


def _unbind(session: Session, _: str) -> None:
    session.bind_user(None)


def _put_lambda(session: Session, name: str) -> None:
    session["good"] = "good"
    session[name] = lambda: None


def _put_secret(session: Session, _: str) -> None:
    retained.append(session)
    session["secret"] = [*session.get("secret", ()), CANARY]


def _lose(session: Session, _: str) -> None:
    _put_secret(session, "")
    session["cart"] = {"lines": [CANARY]}
    raise RuntimeError("the handler failed")


def _put_unfit(session: Session, _: str) -> None:
    retained.append(session)
    session["secret"] = CANARY
    session["unfit"] = [CANARY, {CANARY: object()}]


async def _overtaken(session: Session, name: str) -> None:
    _put_secret(session, "")
    await _pause(session, name)


def _put_values(session: Session, _: str) -> None:
    session["values"] = _VALUES


def _has_values(session: Session, _: str) -> bool:
    """Whether they are equal and of the same types, because ``True == 1``, and ``1 == Decimal(1)``."""
    values = session["values"]
    return bool(values == _VALUES) and [type(value) for value in values.values()] == [type(v) for v in _VALUES.values()]


class _Level(StrEnum):
    HIGH = "high"


class _Row(NamedTuple):
    sku: str
    level: _Level


class _Derived(dict[str, Any]):
    """As many libraries have one: a dict with more methods."""


async def _derive(session: Session, _: str) -> None:
    session["derived"] = _Derived(row=_Row("tea", _Level.HIGH), levels=[])
    await session.commit()
    session["derived"]["levels"].append(_Level.HIGH)


def _is_derived_plain(session: Session, _: str) -> bool:
    value = session["derived"]
    encode(value, name="derived", to_plain=None)  # rejects subclasses
    return bool(value == {"row": ("tea", "high"), "levels": ["high"]})


def _fail(session: Session, name: str) -> None:
    session[name] = name
    raise RuntimeError("the handler failed")


def _put_large(session: Session, name: str) -> None:
    session["good"] = "good"
    session[name] = "x" * 300_000


async def _increment(session: Session, name: str) -> float:
    return await session.increment(name)


async def _commit(session: Session, name: str) -> int:
    session[name] = name
    await session.commit()
    return session.version


async def _end_now(session: Session, _: str) -> None:
    await session.invalidate()


async def _bind_now(session: Session, user: str) -> str | None:
    await session.bind_user(user)
    return session.ref


async def _load(session: Session, name: str) -> Any:
    await session.load()
    return session.get(name)


async def _pause(session: Session, name: str) -> None:
    session.get(name)
    await pauses[name].wait()
    session[name] = name


_VALUES: Final[dict[str, Any]] = {
    "true": True,
    "large": 2**80,
    "real": 1.5,
    "text": "\u00e9\U0001f3fa",
    "octets": b"\x00\xff",
    "pair": (1, "two"),
    "set": {1, 2},
    "instant": datetime(2026, 1, 2, 3, 4, 5, 678, UTC),
    "day": date(2026, 1, 2),
    "hour": time(3, 4),
    "span": timedelta(days=1, microseconds=1),
    "price": Decimal("19.90"),
    "uuid": UUID(int=1),
    "nothing": None,
}
"""One value of each kind that attributes may have."""

_NOW: Final[dict[str, Callable[[Session, str], Any]]] = {
    "read": lambda session, _: dict(session),
    "get": lambda session, name: session.get(name),
    "contains": lambda session, name: name in session,
    "length": lambda session, _: len(session),
    "truth": lambda session, _: bool(session),
    "names": lambda session, _: sorted(session),
    "equality": lambda session, _: session == {},
    "set": _set,
    "fill": _fill,
    "cart": _cart,
    "append": _append,
    "delete": _delete,
    "clear": lambda session, _: session.clear(),
    "invalidate": _invalidate,
    "login": _login,
    "relogin": _relogin,
    "bind": _bind,
    "step_up": _step_up,
    "unbind": _unbind,
    "principal": lambda session, _: session.principal,
    "lambda": _put_lambda,
    "large": _put_large,
    "fail": _fail,
    "secret": _put_secret,
    "unfit": _put_unfit,
    "lose": _lose,
    "values": _put_values,
    "same": _has_values,
    "plain": _is_derived_plain,
    "retain": lambda session, _: retained.append(session),
    "nothing": lambda _session, _: None,
}

_AWAITED: Final[dict[str, Callable[[Session, str], Awaitable[Any]]]] = {
    "increment": _increment,
    "commit": _commit,
    "derive": _derive,
    "end": _end_now,
    "bind_now": _bind_now,
    "step_up_now": _step_up_now,
    "load": _load,
    "pause": _pause,
    "overtaken": _overtaken,
}
