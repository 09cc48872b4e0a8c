"""The shop on FastAPI. The lines for the session are marked ``# session``; the others are those of any shop."""

# ruff: noqa: D103 - a handler's name and path say what it does

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from wsgessions_fastapi import FastAPIAdapter, SessionDep

from . import experiments
from .cart import UnknownAction, UnknownItem, change, look_at
from .catalog import find
from .guard import Guard
from .outage import OutagePage
from .pages import Pages
from .places import Framework, Servers
from .reports import CommitWatch
from .settings import SETTINGS

servers = Servers.from_environment(Framework.FASTAPI)
pages = Pages(servers)

app = FastAPI(title="The cart sample", docs_url=None, redoc_url=None)
app.mount("/Cart/static", StaticFiles(packages=[("wsgessions_cart", "static")]))
app.add_middleware(CommitWatch, supervised=servers.supervised)
app.add_middleware(OutagePage, pages=pages)
app.add_middleware(Guard, servers=servers)
FastAPIAdapter(settings=SETTINGS).install(app)  # session


# -- the shop ----------------------------------------------------------------------------------------------------------


@app.get("/Cart")
async def show_goods(request: Request) -> HTMLResponse:
    return HTMLResponse(await pages.goods(request.scope))


@app.get("/Cart/product/{sku}")
async def show_product(request: Request, sku: str, session: SessionDep) -> HTMLResponse:  # session
    product = find(sku)
    if product is None:
        raise HTTPException(404)
    await look_at(session, product.sku)  # session
    return HTMLResponse(await pages.product(request.scope, product))


@app.post("/Cart")
async def change_cart(
    session: SessionDep,  # session
    action: Annotated[str, Form()] = "",
    item: Annotated[str, Form()] = "",
) -> RedirectResponse:
    try:
        await change(session, action, item)  # session
    except UnknownItem as error:
        raise HTTPException(404) from error
    except UnknownAction as error:
        raise HTTPException(400, "the cart can add, remove and clear") from error
    return RedirectResponse("/Cart", 303)


@app.get("/Cart/session.json")
async def show_session(request: Request) -> dict[str, Any]:
    return pages.summary(request.scope)


@app.exception_handler(404)
async def show_missing(request: Request, _error: Exception) -> Response:
    return HTMLResponse(await pages.missing(request.scope), 404)


@app.get("/", include_in_schema=False)
async def go_to_the_shop() -> RedirectResponse:
    return RedirectResponse("/Cart")


# -- the buttons of the page -------------------------------------------------------------------------------------------


@app.post("/Cart/kill")
async def kill(request: Request) -> RedirectResponse:
    return RedirectResponse(await experiments.kill(servers, request.scope), 303)


@app.post("/Cart/restart")
async def restart(port: Annotated[str, Form()] = "") -> RedirectResponse:
    return RedirectResponse(await experiments.restart(servers, port), 303)


@app.post("/Cart/pause-store")
async def pause_store() -> RedirectResponse:
    return RedirectResponse(experiments.pause_store(), 303)


@app.post("/Cart/ballast")
async def load_ballast(session: SessionDep, ballast: Annotated[str, Form()] = "") -> RedirectResponse:  # session
    return RedirectResponse(experiments.load_ballast(session, ballast), 303)  # session


@app.post("/Cart/two-tabs")
async def two_tabs(request: Request) -> RedirectResponse:
    return RedirectResponse(await experiments.two_tabs(servers, request.scope), 303)


@app.post("/Cart/tab")
async def one_tab(request: Request, field: str = "") -> dict[str, Any]:
    return await experiments.one_tab(servers, request.scope, field)
