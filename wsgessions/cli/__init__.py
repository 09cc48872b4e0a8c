"""The command ``wsgessions``. Its parts need the extra ``cli``; this file says so where it is missing."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process, and exit with an `ExitCode`."""
    try:
        import typer  # noqa: F401 - only to see whether it is there
    except ModuleNotFoundError:
        print("wsgessions: the command line needs an extra: pip install 'wsgessions[cli]'", file=sys.stderr)
        sys.exit(1)
    from .app import run

    run()
