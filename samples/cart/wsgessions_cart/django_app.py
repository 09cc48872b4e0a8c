"""The shop on Django. The lines for the session are marked ``# session``; the others are those of any shop."""

# ruff: noqa: D103 - a view's name and path say what it does

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseRedirect,
    JsonResponse,
)
from django.http.response import HttpResponseBase
from django.urls import path, re_path
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.static import serve

from wsgessions.web import ASGIApp
from wsgessions_django import DjangoAdapter, get_session

from . import experiments
from .cart import UnknownAction, UnknownItem, change, look_at
from .catalog import find
from .guard import Guard
from .outage import OutagePage
from .pages import Pages
from .places import Framework, Servers
from .reports import CommitWatch
from .settings import SETTINGS

settings.configure(
    ALLOWED_HOSTS=["*"],  # the sample listens on loopback alone, and its guard looks at the name
    MIDDLEWARE=["wsgessions_django.SessionMiddleware"],  # session
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(32),  # nothing here is signed
    SESSION_ENGINE="wsgessions_django",  # session
)

servers = Servers.from_environment(Framework.DJANGO)
pages = Pages(servers)


def scope(request: HttpRequest) -> Any:
    """The request as ASGI has it, which the pages of all frameworks are made from."""
    return request.scope  # type: ignore[attr-defined]  # under ASGI it has one


def go_to(address: str) -> HttpResponse:
    return HttpResponseRedirect(address, status=303)


# -- the shop ----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
async def shop(request: HttpRequest) -> HttpResponse:
    return await change_cart(request) if request.method == "POST" else HttpResponse(await pages.goods(scope(request)))


async def change_cart(request: HttpRequest) -> HttpResponse:
    try:
        await change(get_session(request), request.POST.get("action", ""), request.POST.get("item", ""))  # session
    except UnknownItem:
        return HttpResponse(status=404)
    except UnknownAction:
        return HttpResponseBadRequest("the cart can add, remove and clear")
    return go_to("/Cart")


@require_GET
async def show_product(request: HttpRequest, sku: str) -> HttpResponse:
    product = find(sku)
    if product is None:
        return await show_missing(request)
    await look_at(get_session(request), product.sku)  # session
    return HttpResponse(await pages.product(scope(request), product))


@require_GET
async def show_session(request: HttpRequest) -> HttpResponse:
    return JsonResponse(pages.summary(scope(request)))


def send_file(request: HttpRequest, path: str) -> HttpResponseBase:
    found = serve(request, path, document_root=str(Path(__file__).parent / "static"))
    # Whole, since Django does not stream files under ASGI and would warn of it.
    return HttpResponse(b"".join(found), headers=dict(found.items())) if isinstance(found, FileResponse) else found


async def show_missing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(await pages.missing(scope(request)), status=404)


async def go_to_the_shop(_request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect("/Cart")


# -- the buttons of the page -------------------------------------------------------------------------------------------


@require_POST
async def kill(request: HttpRequest) -> HttpResponse:
    return go_to(await experiments.kill(servers, scope(request)))


@require_POST
async def restart(request: HttpRequest) -> HttpResponse:
    return go_to(await experiments.restart(servers, request.POST.get("port", "")))


@require_POST
async def pause_store(_request: HttpRequest) -> HttpResponse:
    return go_to(experiments.pause_store())


@require_POST
async def load_ballast(request: HttpRequest) -> HttpResponse:
    return go_to(experiments.load_ballast(request.session, request.POST.get("ballast", "")))  # session


@require_POST
async def two_tabs(request: HttpRequest) -> HttpResponse:
    return go_to(await experiments.two_tabs(servers, scope(request)))


@require_POST
async def one_tab(request: HttpRequest) -> HttpResponse:
    return JsonResponse(await experiments.one_tab(servers, scope(request), request.GET.get("field", "")))


urlpatterns = [
    path("Cart", shop),
    path("Cart/product/<str:sku>", show_product),
    path("Cart/session.json", show_session),
    path("Cart/kill", kill),
    path("Cart/restart", restart),
    path("Cart/pause-store", pause_store),
    path("Cart/ballast", load_ballast),
    path("Cart/two-tabs", two_tabs),
    path("Cart/tab", one_tab),
    path("Cart/static/<path:path>", send_file),
    path("", go_to_the_shop),
    re_path("", show_missing),
]

watched = CommitWatch(cast("ASGIApp", get_asgi_application()), supervised=servers.supervised)
app = DjangoAdapter(settings=SETTINGS).install(Guard(OutagePage(watched, pages), servers))  # session
