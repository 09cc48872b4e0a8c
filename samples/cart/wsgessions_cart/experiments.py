"""The actions of the page's buttons: kill a server, start it again, stop the store for a while, enlarge the session,
change it from two tabs at once.

Each returns the next address, so that every button is a plain form and needs no JavaScript.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from wsgessions import Session

from .neighbours import answers, ask, wait_until
from .places import Place, Servers, visitor_host
from .reports import report

__all__ = [
    "BALLAST",
    "Race",
    "TabResult",
    "kill",
    "load_ballast",
    "one_tab",
    "pause_store",
    "race_of",
    "restart",
    "two_tabs",
]

BALLAST: Final = "ballast"
BALLAST_BYTES: Final = 200_000
"""Bytes below the limit of 256 kB for a session."""
TABS: Final = ("tab_one", "tab_two")
"""The attributes that the two tabs write."""
RACE: Final = "race"

_LAST_WORDS_SECONDS: Final = 0.1
_RESTART_SECONDS: Final = 15.0
_TAB_SECONDS: Final = 0.3


async def kill(servers: Servers, scope: Mapping[str, Any]) -> str:
    """End this process like a crash, after the answer was sent; redirect the visitor to a live server."""
    for other in servers.others:
        if await answers(other):
            asyncio.get_running_loop().call_later(_LAST_WORDS_SECONDS, os.kill, os.getpid(), signal.SIGKILL)
            return other.url(visitor_host(scope), f"/Cart?note=moved-{servers.here.port}")
    return "/Cart?note=alone"


async def restart(servers: Servers, port: str) -> str:
    """Ask the supervisor to start a server again, and wait until it answers."""
    place = servers.at(int(port)) if port.isdecimal() else None
    if place is None:
        return "/Cart"
    report("restart", port=place.port)
    came_back = await wait_until(place, up=True, seconds=_RESTART_SECONDS)
    return f"/Cart?note={'back' if came_back else 'absent'}-{place.port}"


def pause_store() -> str:
    """Ask the supervisor to let the store stand still for a while."""
    report("pause-store")
    return "/Cart?note=pausing#try"


def load_ballast(session: MutableMapping[str, Any], wanted: str) -> str:
    """Put 200 kB into the session, or (``wanted="drop"``) remove them."""
    if wanted == "drop":
        session.pop(BALLAST, None)
        return "/Cart?note=light#try"
    session[BALLAST] = secrets.token_bytes(BALLAST_BYTES)
    return "/Cart?note=heavy#try"


async def two_tabs(servers: Servers, scope: Mapping[str, Any]) -> str:
    """Send two requests of this visitor at the same moment, to two servers, each to change another attribute."""
    session: Session = scope["session"]
    neighbour = await living_neighbour(servers)
    if neighbour is None or session.is_new:
        return "/Cart?note=no-race#try"
    headers = _headers_of_visitor(scope)
    pairs = zip((servers.here, neighbour), TABS, strict=True)
    try:
        results = await asyncio.gather(*(ask(place, f"/Cart/tab?field={field}", headers) for place, field in pairs))
    except OSError:
        return "/Cart?note=no-race#try"
    session[RACE] = results
    return "/Cart?note=raced#try"


async def one_tab(servers: Servers, scope: Mapping[str, Any], field: str) -> dict[str, Any]:
    """One of the two requests: read the session, take a moment, write one attribute."""
    session: Session = scope["session"]
    base = session.version
    await asyncio.sleep(_TAB_SECONDS)
    if field in TABS and not session.is_new:
        session[field] = f"{datetime.now().astimezone():%H:%M:%S.%f}"[:-3]
    return {"port": servers.here.port, "field": field, "value": session.get(field), "base": base}


async def living_neighbour(servers: Servers) -> Place | None:
    for other in servers.others:
        if await answers(other):
            return other
    return None


def _headers_of_visitor(scope: Mapping[str, Any]) -> dict[str, str]:
    wanted = (b"host", b"cookie")
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in wanted}


@dataclass(frozen=True, slots=True)
class TabResult:
    """The outcome of one tab's change."""

    label: str
    colour: str
    field: str
    value: str
    kept: bool


@dataclass(frozen=True, slots=True)
class Race:
    """The outcome of two simultaneous changes."""

    tabs: tuple[TabResult, ...]
    same_base: bool
    """Whether both had read the same version of the session."""

    @property
    def kept(self) -> bool:
        return all(tab.kept for tab in self.tabs)


def race_of(servers: Servers, session: Mapping[str, Any]) -> Race | None:
    """The outcome of the last `two_tabs`: what each server answered, beside what the session holds now."""
    results = session.get(RACE)
    if not results:
        return None
    tabs = tuple(_result(servers, session, result) for result in results)
    return Race(tabs, same_base=len({result["base"] for result in results}) == 1)


def _result(servers: Servers, session: Mapping[str, Any], result: Mapping[str, Any]) -> TabResult:
    field, value = result["field"], result["value"]
    place = servers.at(result["port"]) or servers.here
    return TabResult(place.label, place.colour, field, value, kept=session.get(field) == value)
