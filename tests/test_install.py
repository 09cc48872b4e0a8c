"""``install(app)`` finds the adapter, or says what there is."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from wsgessions import SessionMiddleware, SessionSettings, install
from wsgessions.errors import ConfigError
from wsgessions.install import GROUP
from wsgessions.web import Receive, Scope, Send

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"

THIRD_PARTY = """
class Sanic:
    async def __call__(self, scope, receive, send): ...

class SanicAdapter:
    def __init__(self, settings=None, *, manager=None, **overrides):
        self.settings = settings

    @classmethod
    def fits(cls, app):
        return isinstance(app, Sanic)

    def install(self, app):
        app.installed = self.settings.adapter
        return app

NOT_AN_ADAPTER = 1
"""

Register = Callable[..., None]


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Register:
    """Registers adapters as an installed distribution does."""
    monkeypatch.syspath_prepend(tmp_path)

    def add(distribution: str, **points: str) -> None:
        info = tmp_path / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]))

    return add


@pytest.fixture
def ours(register: Register) -> None:
    """The adapters that pyproject.toml registers, also where the project runs from its folder without installation."""
    register("wsgessions", **tomllib.loads(PROJECT.read_text())["project"]["entry-points"][GROUP])


@pytest.fixture
def sanic(register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A framework with an adapter from somewhere else."""
    (tmp_path / "sanic_of_this_test.py").write_text(THIRD_PARTY)
    register("sanic-sessions", sanic_of_this_test="sanic_of_this_test:SanicAdapter")
    monkeypatch.delitem(sys.modules, "sanic_of_this_test", raising=False)
    import sanic_of_this_test  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]

    return sanic_of_this_test


async def bare(scope: Scope, receive: Receive, send: Send) -> None: ...


class MyFastAPI(FastAPI):
    """An application's own subclass, in a module of its own."""


@pytest.mark.parametrize("kind", [FastAPI, Starlette, MyFastAPI])
@pytest.mark.usefixtures("ours")
def test_the_class_of_the_application_chooses(kind: type[Starlette]) -> None:
    app = kind()
    assert install(app, store_url="memory:") is app
    assert app.state.wsgessions.settings.store_url.get_secret_value() == "memory:"


@pytest.mark.usefixtures("ours")
def test_an_application_of_no_framework_is_wrapped() -> None:
    app = install(bare, store_url="memory:")
    assert isinstance(app, SessionMiddleware)
    assert app.app is bare


@pytest.mark.usefixtures("ours")
def test_a_framework_inside_of_something_else_is_wrapped() -> None:
    from starlette.middleware.cors import CORSMiddleware

    app = install(CORSMiddleware(FastAPI()), store_url="memory:")
    assert isinstance(app, SessionMiddleware)


@pytest.mark.parametrize("name", ["starlette", "StarletteAdapter", "wsgessions_starlette:StarletteAdapter"])
@pytest.mark.usefixtures("ours")
def test_a_name_a_class_and_a_path_choose(name: str) -> None:
    app = Starlette()
    assert install(app, adapter=name, store_url="memory:") is app
    assert app.state.wsgessions.settings.adapter == name


@pytest.mark.usefixtures("ours")
def test_settings_made_before_are_taken() -> None:
    settings = SessionSettings(adapter="fastapi", store_url="memory:")
    app = install(FastAPI(), settings=settings)
    assert app.state.wsgessions.settings is settings
    with pytest.raises(ConfigError):
        install(FastAPI(), settings=settings, adapter="fastpai")


@pytest.mark.parametrize("adapter", ["auto", "sanic_of_this_test", "SanicAdapter"])
@pytest.mark.usefixtures("ours")
def test_other_packages_bring_their_own(sanic: Any, adapter: str) -> None:
    app = sanic.Sanic()
    assert install(app, adapter=adapter, store_url="memory:") is app
    assert app.installed == adapter


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [("fastpai", "'fastapi'"), ("FastApiAdapter", "'FastAPIAdapter'"), ("Starlete", "'starlette'"), ("atuo", "'auto'")],
)
@pytest.mark.usefixtures("ours")
def test_an_unknown_name_is_answered_with_the_nearest_and_all(wrong: str, nearest: str) -> None:
    """R-07."""
    with pytest.raises(ConfigError) as caught:
        install(FastAPI(), adapter=wrong)
    assert caught.value.setting == "adapter"
    assert f"no adapter is called {wrong!r}" in str(caught.value)
    assert f"did you mean {nearest}?" in caught.value.hint
    assert "valid: auto, django or DjangoAdapter, fastapi or FastAPIAdapter, " in caught.value.hint
    assert caught.value.hint.endswith("starlette or StarletteAdapter, package.module:Class")


@pytest.mark.usefixtures("ours")
def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(ConfigError, match=r"\(valid: auto, django or DjangoAdapter, fastapi or FastAPIAdapter, "):
        install(FastAPI(), adapter="xyzzy")


@pytest.mark.parametrize("app", [Starlette(), bare])
@pytest.mark.usefixtures("ours")
def test_an_adapter_that_does_not_fit_is_refused(app: Any) -> None:
    """R-07."""
    with pytest.raises(ConfigError, match=r"'fastapi' does not fit an application of class .*valid: auto") as caught:
        install(app, adapter="fastapi")
    assert caught.value.setting == "adapter"


@pytest.mark.parametrize("framework", ["fastapi", "starlette"])
@pytest.mark.usefixtures("ours")
def test_a_missing_extra_is_named(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-09."""
    for name in [name for name in sys.modules if name.startswith(("wsgessions_fastapi", "wsgessions_starlette"))]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.split(".")[0] == framework]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError) as caught:
        install(bare, adapter=framework)
    assert caught.value.hint == f'pip install "wsgessions[{framework}]"'
    with pytest.raises(ImportError, match=rf'pip install "wsgessions\[{framework}\]"'):
        __import__(f"wsgessions_{framework}")


@pytest.mark.usefixtures("ours")
def test_what_another_package_lacks_is_its_own_affair(register: Register) -> None:
    register("others", lacking="lacking_of_this_test:Adapter")
    with pytest.raises(ConfigError, match=r"'lacking' cannot be imported.*install what lacking_of_this_test needs"):
        install(bare, adapter="lacking")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("no_such_module:Adapter", "'no_such_module' cannot be imported"),
        ("wsgessions_starlette:StarletAdapter", "did you mean 'StarletteAdapter'"),
        ("sanic_of_this_test:NOT_AN_ADAPTER", "is not the class of an adapter"),
        ("wsgessions:Session", "is not the class of an adapter"),
    ],
)
@pytest.mark.usefixtures("sanic")
def test_a_path_that_leads_to_no_adapter_is_refused(path: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text) as caught:
        install(bare, adapter=path)
    assert caught.value.setting == "adapter"


def test_without_any_registration_the_middleware_still_does_it() -> None:
    """As from a folder or an archive without metadata: nothing is named that is not there."""
    assert isinstance(install(bare, store_url="memory:"), SessionMiddleware)


def test_a_callable_that_does_not_tell_its_arguments_is_believed() -> None:
    assert isinstance(install(dict, store_url="memory:"), SessionMiddleware)  # type: ignore[type-var]


def wsgi(environ: Any, start_response: Any) -> None: ...


@pytest.mark.parametrize("app", [wsgi, object(), None])
def test_what_is_no_asgi_application_is_refused(app: Any) -> None:
    with pytest.raises(ConfigError, match="is not an ASGI application"):
        install(app, store_url="memory:")


@pytest.mark.usefixtures("ours")
def test_only_the_chosen_adapter_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("wsgessions_fastapi", "wsgessions_starlette"))]:
        monkeypatch.delitem(sys.modules, name)
    install(Starlette(), store_url="memory:")
    assert "wsgessions_starlette" in sys.modules
    assert "wsgessions_fastapi" not in sys.modules
