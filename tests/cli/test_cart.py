"""``wsgessions cart`` as a command: its options, and what it says where it cannot run."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import wsgessions_cart.run
from wsgessions.cli.cart import register


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    register(app)
    return app


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the sample is asked to run, in place of running it."""
    calls: list[Any] = []

    def run(*arguments: Any, **options: Any) -> int:
        calls.append((*arguments, options))
        return 0

    monkeypatch.setattr(wsgessions_cart.run, "run", run)
    monkeypatch.delenv("WSGESSIONS_STORE_URL", raising=False)
    return calls


def test_without_options_it_runs_fastapi_and_django_and_a_store_of_its_own(app: typer.Typer, asked: list[Any]) -> None:
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 0, result.output
    assert asked == [("fastapi,django", None, 9081, {"open_browser": False})]


def test_its_options_choose_servers_store_ports_and_the_browser(app: typer.Typer, asked: list[Any]) -> None:
    options = ["--servers", "starlette", "--store", "valkey://db.example", "--port-base", "9181", "--open"]
    assert CliRunner().invoke(app, options).exit_code == 0
    assert asked == [("starlette", "valkey://db.example", 9181, {"open_browser": True})]


def test_the_store_may_come_from_the_environment(
    app: typer.Typer, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSGESSIONS_STORE_URL", "redis://db.example")
    assert CliRunner().invoke(app, []).exit_code == 0
    assert asked[0][1] == "redis://db.example"


@pytest.mark.parametrize(
    "url", ["redis://u:a-password@db.example", "unix://:a-password@/s", "valkey://u%3aa-password@h"]
)
def test_no_password_stands_on_the_command_line(
    app: typer.Typer, asked: list[Any], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """S-79, S-105."""
    refused = CliRunner().invoke(app, ["--store", url], env={"COLUMNS": "200"})
    assert refused.exit_code == 2
    assert "set WSGESSIONS_STORE_URL instead" in refused.output
    assert "a-password" not in refused.output
    assert asked == []
    monkeypatch.setenv("WSGESSIONS_STORE_URL", url)
    assert CliRunner().invoke(app, []).exit_code == 0
    assert asked[0][1] == url


def test_a_missing_library_is_named_with_the_extra_that_brings_it(
    app: typer.Typer, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-09."""
    find = importlib.util.find_spec

    def without_jinja2(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "jinja2" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_jinja2)
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 1
    assert "cart needs jinja2: pip install 'wsgessions[demo]'" in result.stderr
    assert asked == []
