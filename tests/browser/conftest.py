"""A real Chromium and a running cart. Pages of these tests may neither log errors nor ask anybody else for anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from tests.samples.cart_run import PAIRS, CartRun

FLAGS = (
    "--no-sandbox",  # the tests run as root in containers, and only ever open the sample's own pages
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

MAKES_PICTURES = os.environ.get("MAKE_PICTURES") == "1"
"""Whether to make the README's pictures anew; otherwise the tests leave the tree as it is."""

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")  # not longer: while it lives, its event loop is in the way of asynchronous tests
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=PAIRS[:1] if MAKES_PICTURES else PAIRS)
def cart(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CartRun]:
    """One running cart for all tests of a pair of frameworks; each visitor has a session of their own."""
    folder, base = tmp_path_factory.mktemp("cart"), 9081 if MAKES_PICTURES else None
    run = CartRun.started(folder, servers=request.param, base=base)
    yield run
    run.destroy()


@pytest.fixture
def open_page(browser: Browser, cart: CartRun) -> Iterator[OpenPage]:
    """Makes a visitor: a new page in a browser context of its own, with the given options of the context."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # A browser logs it when a server does not answer or there is no such page; that is what some tests are about.
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    def look(request: Request) -> None:
        if urlsplit(request.url).port not in {cart.base, cart.base + 1}:
            complaints.append(f"asked for {request.url}")

    def open_page(**options: Any) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 940}, **options)
        contexts.append(context)
        context.on("console", hear)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("request", look)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A visitor with an ordinary browser."""
    return open_page()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """The folder for pictures of the pages: that of the README and docs if asked for, else one that is thrown away."""
    folder = Path(__file__).resolve().parents[2] / "docs" / "images" if MAKES_PICTURES else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    return folder
