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
            metavar="URL", envvar="WSGESSIONS_STORE_URL", help="A store that runs already.", show_default="starts one"
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
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"wsgessions: cart needs {', '.join(missing)}: pip install 'wsgessions[demo]'", file=sys.stderr)
        raise typer.Exit(ExitCode.FAILURE)
    from wsgessions_cart.run import run

    raise typer.Exit(run(servers, store, port_base, open_browser=open_browser))
