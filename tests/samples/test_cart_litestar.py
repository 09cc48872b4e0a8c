"""The cart on Litestar, beside another framework: what the sample does on any two servers."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from tests.samples.cart_run import CartRun
from tests.samples.test_cart_supervisor import (
    change,
    look_at,
    session_of,
    test_a_restart_of_a_server_that_is_up_changes_nothing,
    test_quantities_go_up_and_down_and_away,
    test_static_files_are_served_without_a_session,
    test_two_concurrent_requests_on_two_servers_both_keep_their_changes,
    test_unknown_things_are_answered_in_the_same_way_by_both_servers,
    test_who_only_reads_gets_no_session_and_no_cookie,
    visitor,
)

__all__ = [
    "test_a_restart_of_a_server_that_is_up_changes_nothing",
    "test_quantities_go_up_and_down_and_away",
    "test_static_files_are_served_without_a_session",
    "test_two_concurrent_requests_on_two_servers_both_keep_their_changes",
    "test_unknown_things_are_answered_in_the_same_way_by_both_servers",
    "test_who_only_reads_gets_no_session_and_no_cookie",
    "visitor",
]

pytestmark = pytest.mark.xdist_group("cart")


@pytest.fixture(scope="module")
def cart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CartRun]:
    run = CartRun.started(tmp_path_factory.mktemp("cart"), "--servers", "litestar,starlette")
    yield run
    run.destroy()


def test_litestar_and_another_framework_find_one_session(cart: CartRun, visitor: httpx2.Client) -> None:
    for turn, sku in enumerate(["pot", "mug", "lamp"]):
        look_at(visitor, cart, turn % 2, sku)
        change(visitor, cart, 1 - turn % 2, "add", sku)
    here, there = session_of(visitor, cart, 0), session_of(visitor, cart, 1)
    assert (here["server"], there["server"]) == ("Litestar", "Starlette")
    for name in ("session", "version", "cart", "history"):
        assert here[name] == there[name]
    assert here["cart"] == dict.fromkeys(["pot", "mug", "lamp"], 1)
    assert 0 < here["bytes_sent"] < here["bytes_whole"]


def test_a_commit_of_litestar_is_a_line_in_the_terminal(cart: CartRun, visitor: httpx2.Client) -> None:
    said = len(cart.lines)
    change(visitor, cart, 0, "add", "pot")
    assert "~cart" in cart.wait_for(f"Litestar :{cart.base}", after=said)
