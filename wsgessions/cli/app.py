"""The command's skeleton: global options, the list of sub-commands, and the output of errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from .. import __version__
from ..errors import WsgessionsError
from . import adapters, cart, config, doctor, server
from .exit_code import ExitCode

if TYPE_CHECKING:
    from ..settings import SessionSettings

__all__ = ["app", "run"]

app: typer.Typer = typer.Typer(name="wsgessions", no_args_is_help=True, pretty_exceptions_enable=False)

for _command in (server, cart, config, doctor, adapters):
    _command.register(app)


def run(arguments: Sequence[str] | None, settings: SessionSettings | None, name: str) -> NoReturn:
    """Run the command line; arguments as for `wsgessions.cli.main`."""
    try:
        app(args=arguments, prog_name=name, obj=settings)
    except WsgessionsError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(ExitCode.of(error))
    sys.exit(ExitCode.OK)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"wsgessions {__version__}")
        raise typer.Exit


def _forbid_color(is_wanted: bool) -> None:
    # All code that prints colours, rich and ours, reads this variable when it starts to print.
    if is_wanted:
        os.environ["NO_COLOR"] = "1"


@app.callback()
def _global_options(
    no_color: Annotated[
        bool,
        typer.Option("--no-color", is_eager=True, callback=_forbid_color, help="Plain text; NO_COLOR=1 does the same."),
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Web sessions that any server can serve."""
