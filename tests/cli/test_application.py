"""The sessions of an application are found by the name that a server takes, whatever the framework."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.conftest import MakeCommand
from wsgessions.cli.application import manager_of_application
from wsgessions.errors import ConfigError

GIVEN = 'store_url="memory:", context_path="/shop"'

APPLICATIONS = {
    "fastapi": f"""
from fastapi import FastAPI
from wsgessions_fastapi import FastAPIAdapter
app = FastAPIAdapter({GIVEN}).install(FastAPI())
""",
    "starlette": f"""
from starlette.applications import Starlette
from wsgessions_starlette import StarletteAdapter
app = StarletteAdapter({GIVEN}).install(Starlette())
""",
    "starlette_middleware": f"""
from starlette.applications import Starlette
from wsgessions import SessionMiddleware
app = Starlette()
app.add_middleware(SessionMiddleware, {GIVEN})
""",
    "starlette_compat": f"""
from starlette.applications import Starlette
from wsgessions_starlette.compat import SessionMiddleware
app = Starlette()
app.add_middleware(SessionMiddleware, secret_key="k", {GIVEN})
""",
    "litestar": f"""
from litestar import Litestar
from wsgessions_litestar import LitestarAdapter
app = Litestar(plugins=[LitestarAdapter({GIVEN})])
""",
    "quart": f"""
from quart import Quart
from wsgessions_quart import QuartAdapter
app = QuartAdapter({GIVEN}).install(Quart(__name__))
""",
    "django": f"""
from django.conf import settings
if not settings.configured:
    settings.configure()
from django.core.asgi import get_asgi_application
from wsgessions_django import DjangoAdapter
app = DjangoAdapter({GIVEN}).install(get_asgi_application())
""",
    "wrapped": f"""
from wsgessions import SessionMiddleware
class Around:
    def __init__(self, app):
        self.app = app
app = Around(SessionMiddleware(print, {GIVEN}))
""",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


@pytest.mark.parametrize("kind", APPLICATIONS)
def test_the_settings_in_the_code_are_found(here: Path, kind: str) -> None:
    (here / f"doctored_{kind}.py").write_text(APPLICATIONS[kind])
    settings = manager_of_application(f"doctored_{kind}:app").settings
    assert (str(settings.store_url), settings.context_path) == ("memory:", "/shop")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("no_such_module:app", "cannot be imported"),
        ("json:application", "cannot be imported"),
        (":app", "cannot be imported"),
        ("json:dumps", "has no sessions of wsgessions"),
    ],
)
def test_a_name_without_such_an_application_is_refused_with_a_hint(name: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        manager_of_application(name)
    assert refused.value.hint


def test_the_doctor_examines_the_application(here: Path, wsgessions: MakeCommand) -> None:
    (here / "shop.py").write_text(APPLICATIONS["fastapi"])
    code, out, _ = wsgessions("doctor", "--app", "shop:app").ended()
    assert code == 0
    assert "store memory:, namespace wsg, context /shop, cookie __Host-sid.shop" in out
    assert "ok    the store answers: memory:, 0 sessions" in out
