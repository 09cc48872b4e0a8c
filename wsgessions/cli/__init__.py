"""The command ``wsgessions``. Its parts need the extra ``cli``; without it, this file prints a hint."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..settings import SessionSettings

__all__ = ["main"]


def main(
    arguments: Sequence[str] | None = None, *, settings: SessionSettings | None = None, name: str = "wsgessions"
) -> None:
    """Run the command line, and exit with an `ExitCode`.

    Args:
        arguments: the arguments after the command's name; by default this process's.
        settings: returns the settings of the application; by default those of the environment and the files.
        name: the name of the command in its own texts.
    """
    if find_spec("typer") is None:
        print("wsgessions: the command line needs an extra: pip install 'wsgessions[cli]'", file=sys.stderr)
        sys.exit(1)
    from .app import run

    run(arguments, settings, name)
