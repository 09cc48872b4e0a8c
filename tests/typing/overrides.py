"""What editors and type checkers say of settings given by name. Never run: mypy and pyright read it.

A line that is marked with an ignore is wrong on purpose; both complain of an ignore that nothing needs.
"""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Unpack

from fastapi import FastAPI
from pydantic import SecretStr
from starlette.middleware import Middleware

from wsgessions import SessionManager, SessionMiddleware, SessionSettings, install
from wsgessions.adapter import Adapter
from wsgessions.framework_versions import FrameworkVersions
from wsgessions.settings import CookieOverrides, CookieSettings, SettingOverrides
from wsgessions.testing.fixtures.store_of_test import StoreOfTest
from wsgessions.web import ASGIApp, Receive, Scope, Send
from wsgessions_django import DjangoAdapter
from wsgessions_django.asgi import wrap
from wsgessions_fastapi import FastAPIAdapter
from wsgessions_litestar import LitestarAdapter
from wsgessions_quart import QuartAdapter, WsgessionsSessionInterface
from wsgessions_starlette import StarletteAdapter
from wsgessions_starlette.compat import SessionMiddleware as CompatMiddleware


async def app(scope: Scope, receive: Receive, send: Send) -> None: ...


# -- right -------------------------------------------------------------------------------------------------------------

SessionSettings(store_url="memory:", max_inactive_interval=timedelta(minutes=5), absolute_timeout="12h", lease=1.5)
SessionSettings(nonstop_timeout=-1, max_bytes_on_heap="64M", max_session_bytes=65_536, renew_interval=None)
SessionSettings(cookie={"insecure": True, "samesite": "strict", "max_age": "1h"}, exclude=["/static"], no_store="/a,/b")
SessionSettings(cookie=CookieSettings(name="sid"), secrets=[SecretStr("s"), "t"], secrets_file=Path("/run/secrets"))
SessionSettings(secrets=lambda: ["s", "t"], pepper=lambda: "p", header="X-Session-Id", hop_check=True, concurrency=64)
SessionSettings(tcConfigUrl="h:9510", sessionTimeout=30, sessionLocking=False, maxBytesOnHeap="128M")

cookie: CookieOverrides = {"path": "/shop"}
given: SettingOverrides = {"namespace": "shop", "cookie": cookie}
SessionManager(**given)
api = FastAPI()
api.add_middleware(SessionMiddleware, store_url="memory:", namespace="shop")
Middleware(SessionMiddleware, store_url="memory:")


def make(**overrides: Unpack[SettingOverrides]) -> ASGIApp:
    """An application's own function may pass them on."""
    return SessionMiddleware(app, **overrides)


class OfOthers:
    """An adapter may take whatever it likes."""

    framework: ClassVar[FrameworkVersions | None] = None

    def __init__(
        self, settings: SessionSettings | None = None, *, manager: SessionManager | None = None, **overrides: Any
    ) -> None: ...

    @classmethod
    def fits(cls, app: object) -> bool:
        return False

    def install(self, app: Any) -> Any:
        return app


adapters: list[type[Adapter]] = [OfOthers, DjangoAdapter, FastAPIAdapter, QuartAdapter, StarletteAdapter]

# -- names that there are not ------------------------------------------------------------------------------------------

SessionSettings(store_ulr="memory:")  # type: ignore[call-arg]
SessionManager(store_ulr="memory:")  # type: ignore[call-arg]
SessionMiddleware(app, store_ulr="memory:")  # type: ignore[call-arg]
install(app, store_ulr="memory:")  # type: ignore[call-arg]
make(store_ulr="memory:")  # type: ignore[call-arg]
StarletteAdapter(store_ulr="memory:")  # type: ignore[call-arg]
FastAPIAdapter(store_ulr="memory:")  # type: ignore[call-arg]
LitestarAdapter(store_ulr="memory:")  # type: ignore[call-arg]
QuartAdapter(store_ulr="memory:")  # type: ignore[call-arg]
WsgessionsSessionInterface(store_ulr="memory:")  # type: ignore[call-arg]
DjangoAdapter(store_ulr="memory:")  # type: ignore[call-arg]
wrap(app, store_ulr="memory:")  # type: ignore[call-arg]
CompatMiddleware(app, "key", store_ulr="memory:")  # type: ignore[call-arg]
api.add_middleware(SessionMiddleware, store_ulr="memory:")  # type: ignore[call-arg]
SessionSettings(cookie={"same_site": "lax"})  # type: ignore[arg-type]

# -- types that do not fit ---------------------------------------------------------------------------------------------

SessionSettings(hop_check="yes")  # type: ignore[arg-type]
SessionManager(max_attributes="many")  # type: ignore[arg-type]
SessionMiddleware(app, store_url=6379)  # type: ignore[arg-type]
install(app, env="staging")  # type: ignore[arg-type]
StarletteAdapter(exclude=7)  # type: ignore[arg-type]
FastAPIAdapter(lease=[1.5])  # type: ignore[arg-type]
LitestarAdapter(max_bytes_on_heap=timedelta(1))  # type: ignore[arg-type]
QuartAdapter(conflicts="merge")  # type: ignore[arg-type]
WsgessionsSessionInterface(secrets_file=3)  # type: ignore[arg-type]
DjangoAdapter(nonStopTimeout=[])  # type: ignore[arg-type]
wrap(app, cookie="sid")  # type: ignore[arg-type]
CompatMiddleware(app, "key", pepper=b"p")  # type: ignore[arg-type]
SessionSettings(cookie={"samesite": "any"})  # type: ignore[arg-type]


def test_settings(store: StoreOfTest) -> None:
    """The fixtures say so, too."""
    store.manager(namespace="shop", lease="3s")
    store.manager(lese="3s")  # type: ignore[call-arg]
    store.settings(max_attributes=None)  # type: ignore[arg-type]
