"""The verbs that use the project in this folder."""

from __future__ import annotations

import os
from pathlib import Path

from devtools.console import STATE, replace, run, say
from devtools.environment import HERE
from devtools.shells import interactive


def cart(args: list[str]) -> int:
    """Two servers, one session: http://localhost:9081/Cart and http://localhost:9082/Cart."""
    return replace(HERE.need(), "-m", "wsgessions", "cart", *args)


def shell(args: list[str]) -> int:
    """A shell (or the command ARGS) in this folder; `python`, `pytest` and `wsgessions` are this project's."""
    HERE.need("test")
    here = Path.cwd()
    os.environ.update(PATH=f"{HERE.bin}{os.pathsep}{os.environ['PATH']}", VIRTUAL_ENV=str(HERE.folder))
    if args:
        return run(*args, folder=here)
    opened = interactive(os.environ.get("SHELL") or "sh", HERE.folder, STATE / "shell")
    say(f"a shell in {here}, in which python is {HERE.python}; leave it with `exit`")
    return run(*opened.command, folder=here, **opened.variables)
