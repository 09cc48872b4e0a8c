"""The command ``wsgessions cart``: checks the ports, runs the supervisor, and reports errors."""

from __future__ import annotations

import asyncio
import sys
import webbrowser
from typing import Final

from .console import Console
from .plan import FIRST_PORT, Plan, Unfit
from .ports import holders
from .processes import StartFailed
from .supervisor import Supervisor

__all__ = ["run"]

_PORT_STEP: Final = 100
_HIGHEST_BASE: Final = 60000


def run(servers: str, store_url: str | None, port_base: int, *, open_browser: bool = False) -> int:
    """Run the cart sample until Ctrl-C.

    Args:
        servers: names of frameworks, comma-separated: ``"fastapi,django"``.
        store_url: the store to use; None to start one.
        port_base: the port of the first server. The other ports keep their distance to it.
        open_browser: open the first server's page when all servers are up.

    Returns:
        The exit code: 0, 1 if a process did not start, 2 if the options are invalid.
    """
    try:
        plan = Plan.of(servers, store_url, port_base)
    except Unfit as error:
        return _fail(str(error), 2)
    taken = holders(plan.ports)
    if taken:
        return _fail(_about(taken, plan), 1)
    console = Console()
    page = plan.places[0].url("localhost", "/Cart")
    supervisor = Supervisor(plan, console, when_up=lambda: open_browser and webbrowser.open(page))
    try:
        asyncio.run(supervisor.run())
    except StartFailed as error:
        return _fail(str(error), 1)
    return 0


def _about(taken: dict[int, str], plan: Plan) -> str:
    lines = [f"port {port} is taken by {holder}" for port, holder in taken.items()]
    base = plan.places[0].port
    bases = range(base + _PORT_STEP, _HIGHEST_BASE, _PORT_STEP)
    free = next((other for other in bases if not holders(port - base + other for port in plan.ports)), FIRST_PORT)
    return "\n".join([*lines, f"End it, or take other ports: --port-base {free}"])


def _fail(text: str, code: int) -> int:
    sys.stderr.writelines(f"cart: {line}\n" for line in text.splitlines())
    return code
