"""The shop on Starlette. The lines for the session are marked ``# session``; the others are those of any shop."""

# ruff: noqa: D103 - a handler's name and path say what it does

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from wsgessions_starlette import StarletteAdapter, get_session

from . import experiments
from .cart import UnknownAction, UnknownItem, change, look_at
from .catalog import find
from .guard import Guard
from .outage import OutagePage
from .pages import Pages
from .places import Framework, Servers
from .reports import CommitWatch
from .settings import SETTINGS

servers = Servers.from_environment(Framework.STARLETTE)
pages = Pages(servers)


# -- the shop ----------------------------------------------------------------------------------------------------------


async def show_goods(request: Request) -> Response:
    return HTMLResponse(await pages.goods(request.scope))


async def show_product(request: Request) -> Response:
    product = find(request.path_params["sku"])
    if product is None:
        raise HTTPException(404)
    await look_at(get_session(request), product.sku)  # session
    return HTMLResponse(await pages.product(request.scope, product))


async def change_cart(request: Request) -> Response:
    form = await request.form()
    try:
        await change(get_session(request), str(form.get("action", "")), str(form.get("item", "")))  # session
    except UnknownItem as error:
        raise HTTPException(404) from error
    except UnknownAction as error:
        raise HTTPException(400, "the cart can add, remove and clear") from error
    return RedirectResponse("/Cart", 303)


async def show_session(request: Request) -> Response:
    return JSONResponse(pages.summary(request.scope))


async def to_cart(_: Request) -> Response:
    return RedirectResponse("/Cart")


async def show_missing(request: Request, _error: Exception) -> Response:
    return HTMLResponse(await pages.missing(request.scope), 404)


# -- the buttons of the page -------------------------------------------------------------------------------------------


async def kill(request: Request) -> Response:
    return RedirectResponse(await experiments.kill(servers, request.scope), 303)


async def restart(request: Request) -> Response:
    form = await request.form()
    return RedirectResponse(await experiments.restart(servers, str(form.get("port", ""))), 303)


async def pause_store(_: Request) -> Response:
    return RedirectResponse(experiments.pause_store(), 303)


async def load_ballast(request: Request) -> Response:
    form = await request.form()
    return RedirectResponse(experiments.load_ballast(request.session, str(form.get("ballast", ""))), 303)  # session


async def two_tabs(request: Request) -> Response:
    return RedirectResponse(await experiments.two_tabs(servers, request.scope), 303)


async def one_tab(request: Request) -> Response:
    return JSONResponse(await experiments.one_tab(servers, request.scope, request.query_params.get("field", "")))


app = Starlette(
    routes=[
        Route("/Cart", show_goods),
        Route("/Cart", change_cart, methods=["POST"]),
        Route("/Cart/product/{sku}", show_product),
        Route("/Cart/session.json", show_session),
        Route("/Cart/kill", kill, methods=["POST"]),
        Route("/Cart/restart", restart, methods=["POST"]),
        Route("/Cart/pause-store", pause_store, methods=["POST"]),
        Route("/Cart/ballast", load_ballast, methods=["POST"]),
        Route("/Cart/two-tabs", two_tabs, methods=["POST"]),
        Route("/Cart/tab", one_tab, methods=["POST"]),
        Route("/", to_cart),
        Mount("/Cart/static", StaticFiles(packages=[("wsgessions_cart", "static")])),
    ],
    middleware=[
        Middleware(Guard, servers),
        Middleware(OutagePage, pages),
        Middleware(CommitWatch, supervised=servers.supervised),
    ],
    exception_handlers={404: show_missing},
)
StarletteAdapter(settings=SETTINGS).install(app)  # session
