"""``wsgessions doctor`` names what is wrong, and its remedy."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import MakeCommand
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions import SessionManager
from wsgessions.cli.exit_code import ExitCode
from wsgessions.cli.visits import ask_store, visit
from wsgessions.settings import SessionSettings
from wsgessions.store.contract import NEVER
from wsgessions.stores.valkey.coherence.settings_check import SettingsCheck
from wsgessions.stores.valkey.store import ValkeyStore

__all__ = ["shared_server"]

SETTINGS = SessionSettings()


@contextmanager
def page(*, status: int = 200, cookie: str = "", knows: str = "") -> Iterator[str]:
    """A server with one page, which sets this cookie unless the client has presented one that it knows."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            if cookie and not (knows and knows in self.headers.get("cookie", "")):
                self.send_header("set-cookie", cookie)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def judged(*urls: str) -> list[str]:
    return [finding.verdict for finding in visit(urls, SETTINGS)]


def test_servers_that_share_their_sessions_are_fine() -> None:
    with page(cookie="sid=one; Path=/") as first, page(cookie="sid=two", knows="sid=one") as second:
        assert judged(first, second) == ["ok", "ok"]


def test_a_server_that_does_not_know_the_session_of_the_other_is_found() -> None:
    with page(cookie="sid=one") as first, page(cookie="sid=two") as second:
        good, bad = visit([first, second], SETTINGS)
    assert (good.verdict, bad.verdict) == ("ok", "fail")
    assert "context_path" in bad.remedy


@pytest.mark.parametrize(
    ("options", "verdict", "word"),
    [
        ({"status": 503}, "fail", "store"),
        ({}, "warn", "changes the session"),
        ({"cookie": "sid=one; Secure"}, "fail", "https"),
    ],
    ids=["503", "no cookie", "secure over http"],
)
def test_what_is_wrong_with_a_page_is_told_with_a_remedy(options: dict[str, object], verdict: str, word: str) -> None:
    with page(**options) as url:  # type: ignore[arg-type]
        (finding,) = visit([url], SETTINGS)
    assert finding.verdict == verdict
    assert word in finding.remedy


def test_a_page_that_cannot_be_visited_is_told() -> None:
    with page() as url:
        pass
    assert judged(url, "nonsense") == ["fail", "fail"]


def test_the_command_asks_the_store(wsgessions: MakeCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSGESSIONS_STORE_URL", "memory:")
    code, out, _ = wsgessions("doctor").ended()
    assert code == 0
    assert "ok    the store answers: memory:, 0 sessions\n" in out


def test_the_command_says_what_is_in_force(wsgessions: MakeCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSGESSIONS_STORE_URL", "memory:")
    monkeypatch.setenv("WSGESSIONS_CONTEXT_PATH", "/shop")
    _, out, _ = wsgessions("doctor").ended()
    line = out.splitlines()[0]
    for fact in (
        "ok    ",
        "store memory:",
        "context /shop",
        "cookie __Host-sid.shop",
        "idle timeout 30m",
        "env develop",
    ):
        assert fact in line


async def test_running_servers_with_other_settings_are_named_with_what_differs(shared_server: RawServer) -> None:
    common: dict[str, Any] = {"store_url": shared_server.url, "namespace": "doctor"}
    servers = [SessionManager(**common, absolute_timeout=age) for age in ("24h", "12h")]
    asks = SessionManager(**common)
    try:
        for server in servers:
            await server.start()
            await check_of(server).look()
        answer, alike, differs = await ask_store(asks, deadline=NEVER)
    finally:
        for manager in (asks, *servers):
            await manager.close()
    assert answer.text.startswith("the store answers")
    assert (alike.verdict, alike.text) == ("ok", "running processes of this application with the same settings: 1")
    assert differs.verdict == "warn"
    assert f"(process {os.getpid()}), heard 0 s ago, has other settings: absolute_timeout is 24h here" in differs.text
    assert "set the same everywhere" in differs.remedy


def check_of(manager: SessionManager) -> SettingsCheck:
    """The part that records the settings of a server; it would do so after some seconds."""
    store: Any = manager.store
    layer = store._store
    while not isinstance(layer, ValkeyStore):
        layer = layer.below
    return layer.settings_check


def test_a_store_that_does_not_answer_is_a_failure_with_its_reason(
    wsgessions: MakeCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSGESSIONS_STORE_URL", f"unix://{tmp_path}/none")
    code, out, _ = wsgessions("doctor").ended()
    assert code == ExitCode.UNREACHABLE
    assert "fail  the store: " in out
