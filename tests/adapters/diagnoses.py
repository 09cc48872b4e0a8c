"""Cases of each adapter: its start says what is in force, and mistakes that would be silent are told."""

from __future__ import annotations

import logging

import pytest

from wsgessions.internal.last_resort import START_LOGGER
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.testing.adapters.app_life import AppLife
from wsgessions.testing.adapters.client import http_scope, talk
from wsgessions.testing.adapters.harness import Node, Nodes
from wsgessions.web import unreturned_cookies

__all__ = ["BROWSER", "DiagnosisCases", "observe_at_once"]

BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0", "accept-language": "en"}


def observe_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sessions count that are given at the same moment, and each line be written."""
    monkeypatch.setattr(unreturned_cookies, "_APART", 0.0)
    monkeypatch.setattr(unreturned_cookies, "_log", LogThrottle(logging.getLogger("wsgessions.request"), interval=0))


class DiagnosisCases:
    """For the subclasses of `AdapterSuite`."""

    async def test_the_start_says_once_and_in_one_line_what_is_in_force(
        self, nodes: Nodes, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, logger=START_LOGGER)
        node = nodes(context_path="/shop", max_inactive_interval="20m", absolute_timeout="12h", nonstop_timeout="20s")
        served = AppLife(node)
        await served.enter()
        try:
            await talk(served, http_scope("/do/set-color"))
        finally:
            await served.leave()
        (line,) = [record.getMessage() for record in caplog.records if record.name == START_LOGGER]
        settings = node.manager.settings
        for fact in (
            f"store {settings.store_url}",
            f"namespace {settings.namespace}",
            "context /shop",
            "cookie __Host-sid.shop (sid.shop over plain http)",
            "idle timeout 20m",
            "absolute timeout 12h",
            "store deadline 20s",
            "env development",
        ):
            assert fact in line

    async def test_a_browser_that_returns_no_cookie_is_told_with_its_host(
        self, node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        observe_at_once(monkeypatch)
        fields = [(name.encode(), value.encode()) for name, value in BROWSER.items()]
        for _ in range(5):
            await talk(node, http_scope("/do/set-color", fields))
        (line,) = [each for each in caplog.records if getattr(each, "event", "") == "cookies_not_returned"]
        assert "a browser at 'testserver' was given 4 sessions" in line.getMessage()

    async def test_a_browser_that_returns_the_cookie_is_not_told(
        self, node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        observe_at_once(monkeypatch)
        for _ in range(5):
            browser = node.browser()
            for _ in range(2):
                await browser.get("/do/set-color", headers=BROWSER)
        assert not [each for each in caplog.records if getattr(each, "event", "") == "cookies_not_returned"]
