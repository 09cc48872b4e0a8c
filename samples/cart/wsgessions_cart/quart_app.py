"""The shop on Quart. The lines for the session are marked ``# session``; the others are those of any shop."""

# ruff: noqa: D103 - a handler's name and path say what it does

from __future__ import annotations

from typing import Any, cast

from quart import Quart, Response, abort, jsonify, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from wsgessions.web import ASGIApp
from wsgessions_quart import QuartAdapter, get_session

from . import experiments
from .cart import UnknownAction, UnknownItem, change, look_at
from .catalog import find
from .guard import Guard
from .outage import OutagePage
from .pages import Pages
from .places import Framework, Servers
from .reports import CommitWatch
from .settings import SETTINGS

servers = Servers.from_environment(Framework.QUART)
pages = Pages(servers)

app = Quart("wsgessions_cart", static_url_path="/Cart/static", static_folder="static")
watched = CommitWatch(cast("ASGIApp", app.asgi_app), supervised=servers.supervised)
app.asgi_app = Guard(OutagePage(watched, pages), servers)  # type: ignore[method-assign,assignment]  # Quart's way to add middleware
QuartAdapter(settings=SETTINGS).install(app)  # session

Answer = Response | WerkzeugResponse


def scope() -> Any:
    """The request as ASGI has it, which the pages of all frameworks are made from."""
    return request.scope


async def field(name: str) -> str:
    return str((await request.form).get(name, ""))


# -- the shop ----------------------------------------------------------------------------------------------------------


@app.get("/Cart")
async def show_goods() -> str:
    return await pages.goods(scope())


@app.get("/Cart/product/<sku>")
async def show_product(sku: str) -> str:
    product = find(sku)
    if product is None:
        abort(404)
    await look_at(get_session(), product.sku)  # session
    return await pages.product(scope(), product)


@app.post("/Cart")
async def change_cart() -> Answer:
    try:
        await change(get_session(), await field("action"), await field("item"))  # session
    except UnknownItem:
        abort(404)
    except UnknownAction:
        abort(400, "the cart can add, remove and clear")
    return redirect("/Cart", 303)


@app.get("/Cart/session.json")
async def show_session() -> Answer:
    return jsonify(pages.summary(scope()))


@app.errorhandler(404)
async def show_missing(_error: Exception) -> tuple[str, int]:
    return await pages.missing(scope()), 404


@app.get("/")
async def go_to_the_shop() -> Answer:
    return redirect("/Cart", 307)


# -- the buttons of the page -------------------------------------------------------------------------------------------


@app.post("/Cart/kill")
async def kill() -> Answer:
    return redirect(await experiments.kill(servers, scope()), 303)


@app.post("/Cart/restart")
async def restart() -> Answer:
    return redirect(await experiments.restart(servers, await field("port")), 303)


@app.post("/Cart/pause-store")
async def pause_store() -> Answer:
    return redirect(experiments.pause_store(), 303)


@app.post("/Cart/ballast")
async def load_ballast() -> Answer:
    return redirect(experiments.load_ballast(get_session(), await field("ballast")), 303)  # session


@app.post("/Cart/two-tabs")
async def two_tabs() -> Answer:
    return redirect(await experiments.two_tabs(servers, scope()), 303)


@app.post("/Cart/tab")
async def one_tab() -> Answer:
    return jsonify(await experiments.one_tab(servers, scope(), request.args.get("field", "")))
