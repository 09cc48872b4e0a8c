"""``wsgessions cart``: the sample shop, on two servers and one store."""

from __future__ import annotations

import importlib.util
import sys
from typing import Annotated

import typer

from .exit_code import ExitCode

__all__ = ["register"]

_NEEDED = ("wsgessions_cart", "jinja2", "python_multipart", "uvicorn", "fastapi", "django")


def register(app: typer.Typer) -> None:
    """Add the sub-command."""
    app.command("cart")(cart)


def cart(
    context: typer.Context,
    servers: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Of fastapi, django, starlette, litestar and quart, comma-separated; each any number of times.",
        ),
    ] = "fastapi,django",
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="WSGESSIONS_STORE_URL",
            help="A store that runs already. One with a password is named by the variable only.",
            show_default="starts one",
        ),
    ] = None,
    port_base: Annotated[
        int, typer.Option(min=1024, max=60000, help="The first server's port; all others move along.")
    ] = 9081,
    open_browser: Annotated[bool, typer.Option("--open", help="Show the shop in a browser.")] = False,
) -> None:
    """Run the cart sample: one session on FastAPI and Django, http://localhost:9081/Cart and http://localhost:9082/Cart.

    The store listens on 9510 and keeps its data in ./.wsgessions. Ctrl-C stops everything.
    """
    if store and _has_credentials(store) and _is_on_the_command_line(context, "store"):
        message = "a password there is seen by all users of this machine: set WSGESSIONS_STORE_URL instead"
        raise typer.BadParameter(message, param_hint="--store")
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"wsgessions: cart needs {', '.join(missing)}: pip install 'wsgessions[demo]'", file=sys.stderr)
        raise typer.Exit(ExitCode.FAILURE)
    from wsgessions_cart.run import run

    raise typer.Exit(run(servers, store, port_base, open_browser=open_browser))


def _has_credentials(url: str) -> bool:
    return "@" in url.partition("//")[2]


def _is_on_the_command_line(context: typer.Context, option: str) -> bool:
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"
