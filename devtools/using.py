"""The verbs that use the project in this folder."""

from __future__ import annotations

import os

from devtools.console import replace, run, say
from devtools.environment import HERE


def cart(args: list[str]) -> int:
    """Two servers, one session: http://localhost:9081/Cart and http://localhost:9082/Cart."""
    return replace(HERE.need(), "-m", "wsgessions", "cart", *args)


def shell(args: list[str]) -> int:
    """A shell (or the command ARGS) in which `python`, `pytest` and `wsgessions` are this project's."""
    HERE.need("test")
    os.environ.update(PATH=f"{HERE.bin}{os.pathsep}{os.environ['PATH']}", VIRTUAL_ENV=str(HERE.folder))
    if not args:
        say("leave this shell with `exit`")
    return run(*(args or [os.environ.get("SHELL", "sh")]))
