"""The cart on Quart, beside another framework."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from tests.samples.cart_run import CartRun


@pytest.fixture
def cart(tmp_path: Path) -> Iterator[CartRun]:
    run = CartRun.started(tmp_path, "--servers", "quart,fastapi")
    yield run
    run.destroy()


def test_a_cart_that_is_filled_on_quart_is_full_on_fastapi_and_the_other_way_round(cart: CartRun) -> None:
    client = build_opener(HTTPCookieProcessor(CookieJar()))
    for server, item in ((0, "pot"), (1, "mug"), (0, "mug")):
        page = client.open(cart.url(server), urlencode({"action": "add", "item": item}).encode()).read().decode()
        assert "You are on" in page
    states = [json.loads(client.open(cart.url(server, "/Cart/session.json")).read()) for server in (0, 1)]
    assert [state["server"] for state in states] == ["Quart", "FastAPI"]
    assert [state["cart"] for state in states] == [{"pot": 1, "mug": 2}] * 2
    assert states[0]["session"] == states[1]["session"]
