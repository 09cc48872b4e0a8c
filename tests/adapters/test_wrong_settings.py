"""No frame shows the password of a store that was given to an adapter with a setting that is wrong (S-79)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from quart import Quart

from tests.adapters.django_project import configure
from tests.canary import PASSWORD, Canary
from wsgessions import install
from wsgessions.errors import ConfigError
from wsgessions_fastapi import FastAPIAdapter
from wsgessions_litestar import LitestarAdapter
from wsgessions_quart import QuartAdapter, WsgessionsSessionInterface
from wsgessions_starlette import StarletteAdapter
from wsgessions_starlette.compat import SessionMiddleware as CompatMiddleware

configure()

from django.core.asgi import get_asgi_application  # noqa: E402 - Django has to be configured first

from wsgessions_django import DjangoAdapter  # noqa: E402

URL = f"redis://ann:{PASSWORD}@host:6379"

DJANGO: Any = get_asgi_application()

ADAPTERS: dict[str, Callable[..., Any]] = {
    "starlette": StarletteAdapter,
    "compat": lambda **given: CompatMiddleware(_app, secret_key=PASSWORD, **given),
    "fastapi": FastAPIAdapter,
    "litestar": LitestarAdapter,
    "quart": lambda **given: QuartAdapter(**given).install(Quart("tests.adapters.test_wrong_settings")),
    "quart interface": WsgessionsSessionInterface,
    "django": lambda **given: DjangoAdapter(**given).install(DJANGO),
    "install": lambda **given: install(DJANGO, **given),
}


async def _app(scope: Any, receive: Any, send: Any) -> None: ...


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize(
    "given",
    [
        {"store_url": URL, "no_such_setting": 1},
        {"store_url": URL, "secrets": [PASSWORD]},
        {"store_url": f"{URL}/not-a-number", "cookie": {"samesite": "lax"}},
    ],
)
def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch, adapter: str, given: dict[str, Any]) -> None:
    with Canary(monkeypatch).expecting(ConfigError):
        ADAPTERS[adapter](**given)
