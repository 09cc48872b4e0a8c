"""What the cart keeps in the session: the same plain functions for every framework."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgessions import Session
from wsgessions_cart.cart import HISTORY_LENGTH, UnknownAction, UnknownItem, cart_of, change, history_of, look_at
from wsgessions_cart.catalog import CATALOG, Category, find, in_category, money

SKUS = [product.sku for product in CATALOG]


async def test_add_puts_one_more_into_the_cart_and_remove_takes_one_out() -> None:
    session = Session()
    for action in ("add", "add", "add", "remove"):
        await change(session, action, "pot")
    assert cart_of(session) == {"pot": 2}


async def test_the_line_goes_when_nothing_is_left_of_it() -> None:
    session = Session()
    await change(session, "add", "pot")
    await change(session, "add", "mug")
    await change(session, "remove", "pot")
    assert cart_of(session) == {"mug": 1}


async def test_removing_what_is_not_there_changes_nothing() -> None:
    session = Session()
    await change(session, "remove", "pot")
    assert session == {}


async def test_clear_empties_the_cart_and_keeps_the_history() -> None:
    session = Session()
    await look_at(session, "pot")
    await change(session, "add", "pot")
    await change(session, "clear", "")
    assert cart_of(session) == {}
    assert history_of(session) == ["pot"]


@pytest.mark.parametrize("action", ["add", "remove"])
async def test_an_unknown_item_is_refused(action: str) -> None:
    session = Session()
    with pytest.raises(UnknownItem):
        await change(session, action, "unicorn")
    assert session == {}


async def test_an_unknown_action_is_refused() -> None:
    session = Session()
    with pytest.raises(UnknownAction):
        await change(session, "steal", "pot")
    assert session == {}


@given(st.lists(st.sampled_from(SKUS)))
async def test_the_history_is_the_last_five_distinct_products_newest_first(visits: list[str]) -> None:
    session = Session()
    for sku in visits:
        await look_at(session, sku)
    distinct = list(dict.fromkeys(reversed(visits)))
    assert history_of(session) == distinct[:HISTORY_LENGTH]


def test_a_product_that_is_no_longer_sold_disappears_from_cart_and_history() -> None:
    session = {"cart": {"unicorn": 1, "pot": 2}, "history": ["unicorn", "pot"]}
    assert cart_of(session) == {"pot": 2}
    assert history_of(session) == ["pot"]


def test_every_product_stands_on_a_shelf_and_has_a_name_of_its_own() -> None:
    assert len(CATALOG) >= 9
    assert [find(sku) for sku in SKUS] == list(CATALOG)
    assert len({product.name for product in CATALOG}) == len(CATALOG)
    assert sum(len(in_category(category)) for category in Category) == len(CATALOG)


def test_prices_are_shown_with_cents() -> None:
    assert money(4205) == "€42.05"
    assert money(123456) == "€1,234.56"
