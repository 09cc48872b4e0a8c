"""The shop on Litestar. The lines for the session are marked ``# session``; the others are those of any shop."""

# ruff: noqa: D103 - a handler's name and path say what it does

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.exceptions import ClientException
from litestar.middleware import DefineMiddleware
from litestar.response import Redirect
from litestar.static_files import create_static_files_router

from wsgessions_litestar import LitestarAdapter, get_session

from . import experiments
from .cart import UnknownAction, UnknownItem, change, look_at
from .catalog import find
from .guard import Guard
from .outage import OutagePage
from .pages import Pages
from .places import Framework, Servers
from .reports import CommitWatch
from .settings import SETTINGS

AnyRequest = Request[Any, Any, Any]

servers = Servers.from_environment(Framework.LITESTAR)
pages = Pages(servers)


def page(text: str, status: int = 200) -> Response[str]:
    return Response(text, status_code=status, media_type=MediaType.HTML)


async def missing_page(request: AnyRequest) -> Response[str]:
    return page(await pages.missing(request.scope), 404)


async def field(request: AnyRequest, name: str) -> str:
    return str((await request.form()).get(name, ""))


# -- the shop ----------------------------------------------------------------------------------------------------------


@get("/Cart")
async def show_goods(request: AnyRequest) -> Response[str]:
    return page(await pages.goods(request.scope))


@get("/Cart/product/{sku:str}")
async def show_product(request: AnyRequest) -> Response[str]:
    product = find(request.path_params["sku"])
    if product is None:
        return await missing_page(request)
    await look_at(get_session(request), product.sku)  # session
    return page(await pages.product(request.scope, product))


@post("/Cart")
async def change_cart(request: AnyRequest) -> Response[Any]:
    action, item = await field(request, "action"), await field(request, "item")
    try:
        await change(get_session(request), action, item)  # session
    except UnknownItem:
        return await missing_page(request)
    except UnknownAction as error:
        raise ClientException("the cart can add, remove and clear") from error
    return Redirect("/Cart", status_code=303)


@get("/Cart/session.json")
async def show_session(request: AnyRequest) -> dict[str, Any]:
    return pages.summary(request.scope)


@get(["/{elsewhere:path}"])
async def show_missing(request: AnyRequest) -> Response[str]:
    return await missing_page(request)


@get("/")
async def go_to_the_shop() -> Redirect:
    return Redirect("/Cart")


# -- the buttons of the page -------------------------------------------------------------------------------------------


@post("/Cart/kill")
async def kill(request: AnyRequest) -> Redirect:
    return Redirect(await experiments.kill(servers, request.scope), status_code=303)


@post("/Cart/restart")
async def restart(request: AnyRequest) -> Redirect:
    return Redirect(await experiments.restart(servers, await field(request, "port")), status_code=303)


@post("/Cart/pause-store")
async def pause_store() -> Redirect:
    return Redirect(experiments.pause_store(), status_code=303)


@post("/Cart/ballast")
async def load_ballast(request: AnyRequest) -> Redirect:
    ballast = await field(request, "ballast")
    return Redirect(experiments.load_ballast(request.session, ballast), status_code=303)  # session


@post("/Cart/two-tabs")
async def two_tabs(request: AnyRequest) -> Redirect:
    return Redirect(await experiments.two_tabs(servers, request.scope), status_code=303)


@post("/Cart/tab", status_code=200)
async def one_tab(request: AnyRequest) -> dict[str, Any]:
    return await experiments.one_tab(servers, request.scope, request.query_params.get("field", ""))


static = create_static_files_router("/Cart/static", [Path(__file__).parent / "static"])

app = Litestar(
    [
        show_goods,
        show_product,
        change_cart,
        show_session,
        show_missing,
        go_to_the_shop,
        kill,
        restart,
        pause_store,
        load_ballast,
        two_tabs,
        one_tab,
        static,
    ],
    middleware=[
        DefineMiddleware(cast("Any", Guard), servers=servers),  # Litestar has types of its own for ASGI
        DefineMiddleware(cast("Any", OutagePage), pages=pages),
        DefineMiddleware(cast("Any", CommitWatch), supervised=servers.supervised),
    ],
    plugins=[LitestarAdapter(settings=SETTINGS)],  # session
    openapi_config=None,
)
