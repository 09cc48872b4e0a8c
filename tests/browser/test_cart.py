"""The cart in a real browser: what a visitor sees and does in the first sixty seconds, and every button of the page."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.samples.cart_run import PAIRS, CartRun

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

# All frameworks send what `wsgessions_cart.pages` renders, with the same scripts and styles. What a test asks of these
# alone, and not of how a server answers, it asks of one pair of frameworks.
one_pair = pytest.mark.parametrize("cart", PAIRS[:1], indirect=True)


def number(page: Page, name: str) -> int:
    """A figure of the inspector, such as ``bytes-sent``."""
    value = page.locator(f"[data-{name}]").get_attribute(f"data-{name}")
    assert value is not None
    return int(value)


def ref(page: Page) -> str:
    return page.locator("[data-ref]").inner_text()


def cart_of(page: Page) -> dict[str, int]:
    """What the page shows as the cart: quantities by name. Read in one go, since the page may renew itself."""
    lines: list[tuple[str, str]] = page.locator("#cart .lines li").evaluate_all(
        """lines => lines.map(line => [
            line.querySelector(".what a").textContent,
            line.querySelector(".quantity > span").lastChild.textContent,
        ])"""
    )
    return {name: int(quantity) for name, quantity in lines}


def history_of(page: Page) -> list[str]:
    return [name.strip() for name in page.locator("#history li").all_text_contents()]


def expect_server(page: Page, label: str) -> None:
    expect(page.get_by_role("heading", name=f"You are on {label}")).to_be_visible()


def expect_quantity(page: Page, name: str, quantity: int) -> None:
    line = page.locator("#cart .lines li").filter(has_text=name)
    expect(line.locator(".quantity > span")).to_have_text(f"Quantity: {quantity}")


def add(page: Page, name: str) -> None:
    page.get_by_role("button", name=f"Add {name} to the cart").click()


def hold(page: Page, url: str) -> None:
    """In pages opened from now on, fetches of ``url`` wait until `letThrough`; the document is marked once one does."""
    page.add_init_script(
        f"const HELD = {url!r};"
        """
        const passage = new Promise((resolve) => { window.letThrough = resolve; });
        const fetchAtOnce = window.fetch;
        window.fetch = async (url, options) => {
          if (url === HELD) { document.documentElement.dataset.held = ""; await passage; }
          return fetchAtOnce(url, options);
        };
        """
    )


def expect_held(page: Page) -> None:
    expect(page.locator("html[data-held]")).to_have_count(1)


def test_the_first_sixty_seconds(cart: CartRun, page: Page) -> None:
    page.goto(cart.url(0))
    expect_server(page, cart.label(0))
    expect(page.locator("#inspector")).to_contain_text("No session yet: nothing was stored, and no cookie was set.")
    assert page.context.cookies() == []

    # Look at two products, and buy them.
    for name in ("Stoneware teapot", "Terracotta pot"):
        page.get_by_role("link", name=name).first.click()
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
        add(page, name)
        expect_quantity(page, name, 1)
        page.get_by_role("link", name="All goods").click()
    page.get_by_role("button", name="One Terracotta pot more").click()
    expect_quantity(page, "Terracotta pot", 2)
    assert history_of(page) == ["Terracotta pot", "Stoneware teapot"]

    # Only what changed was sent.
    expect(page.locator("#inspector .fields code")).to_have_text("~cart")
    assert number(page, "bytes-whole") > 1500
    assert number(page, "bytes-sent") < 100

    # The other server has it all.
    session = ref(page)
    page.get_by_role("link", name=f"See this session on {cart.label(1)}").click()
    expect_server(page, cart.label(1))
    assert page.url == cart.url(1)
    assert cart_of(page) == {"Stoneware teapot": 1, "Terracotta pot": 2}
    assert history_of(page) == ["Terracotta pot", "Stoneware teapot"]
    assert ref(page) == session
    expect(page.locator("#inspector")).to_contain_text("This server has sent nothing for this session")

    # It has read the session once, and need not again.
    for _ in range(50):  # a server that was held up for longer than its lease asks once more
        page.reload()
        if "near-cache, no round trip" in page.locator("#inspector").inner_text():
            break
    else:
        pytest.fail("the session is never served from memory")

    # What is changed there is seen here.
    page.get_by_role("button", name="One Stoneware teapot less").click()
    expect(page.locator("#cart .lines li")).to_have_count(1)
    add(page, "Hourglass")
    expect_quantity(page, "Hourglass", 1)
    page.get_by_role("link", name=f"See this session on {cart.label(0)}").click()
    expect_server(page, cart.label(0))
    assert cart_of(page) == {"Terracotta pot": 2, "Hourglass": 1}

    # Kill this server, and go on at the other.
    page.get_by_role("button", name="Kill this server").click()
    expect_server(page, cart.label(1))
    expect(page.locator(".notice")).to_contain_text(f"{cart.label(0)} was killed and is down")
    expect(page.locator(".down")).to_contain_text(f"{cart.label(0)} is down.")
    assert cart_of(page) == {"Terracotta pot": 2, "Hourglass": 1}
    assert ref(page) == session
    add(page, "Linen notebook")
    expect_quantity(page, "Linen notebook", 1)

    # Start it again: all is there.
    page.get_by_role("button", name=f"Restart {cart.label(0)}").click()
    expect(page.locator(".notice")).to_contain_text(f"{cart.label(0)} is back, on the same session")
    page.get_by_role("link", name=f"See this session on {cart.label(0)}").click()
    expect_server(page, cart.label(0))
    assert cart_of(page) == {"Terracotta pot": 2, "Hourglass": 1, "Linen notebook": 1}
    assert history_of(page) == ["Terracotta pot", "Stoneware teapot"]
    assert ref(page) == session


def test_a_heavy_session_still_sends_only_what_changed(cart: CartRun, page: Page) -> None:
    page.goto(cart.url(0))
    add(page, "Terracotta pot")
    expect_quantity(page, "Terracotta pot", 1)
    page.get_by_role("button", name="Add 200 kB to the session").click()
    expect(page.locator(".notice")).to_contain_text("The session now carries 200 kB.")
    assert number(page, "bytes-sent") > 200_000
    add(page, "Terracotta pot")
    expect_quantity(page, "Terracotta pot", 2)
    assert number(page, "bytes-sent") < 300
    assert number(page, "bytes-whole") > 200_000
    page.get_by_role("button", name="Take the 200 kB out again").click()
    expect(page.locator(".notice")).to_contain_text("out of the session again")
    expect(page.locator("#inspector .fields code")).to_have_text(re.compile("^.ballast$"))
    assert number(page, "bytes-whole") < 5_000


def test_two_tabs_at_once_both_keep_their_changes(cart: CartRun, page: Page) -> None:
    page.goto(cart.url(0))
    expect(page.get_by_role("button", name="Two tabs at once")).to_be_disabled()
    add(page, "Terracotta pot")
    expect_quantity(page, "Terracotta pot", 1)
    page.get_by_role("button", name="Two tabs at once").click()
    race = page.locator(".race")
    expect(race.get_by_role("heading")).to_have_text("Both changes were kept")
    expect(race.locator("li")).to_have_count(2)
    expect(race.locator("li").nth(0)).to_contain_text(f"{cart.label(0)} tab_one")
    expect(race.locator("li").nth(1)).to_contain_text(f"{cart.label(1)} tab_two")
    expect(race.get_by_text("is in the session")).to_have_count(2)
    expect(race).to_contain_text("Both had read the same version")
    assert cart_of(page) == {"Terracotta pot": 1}


def test_an_open_tab_shows_what_another_one_changed(cart: CartRun, page: Page) -> None:
    page.goto(cart.url(0))
    add(page, "Terracotta pot")
    expect_quantity(page, "Terracotta pot", 1)
    other = page.context.new_page()
    other.goto(cart.url(1))
    add(other, "Terracotta pot")
    expect_quantity(other, "Terracotta pot", 2)
    page.bring_to_front()
    expect_quantity(page, "Terracotta pot", 2)
    assert page.locator("[data-version]").inner_text() == other.locator("[data-version]").inner_text()


def test_a_server_that_died_is_reported_where_the_visitor_clicks(cart: CartRun, page: Page) -> None:
    page.goto(cart.url(0))
    add(page, "Terracotta pot")
    expect_quantity(page, "Terracotta pot", 1)
    said = len(cart.lines)
    os.kill(cart.pid_of(0), signal.SIGKILL)
    cart.wait_until_up(cart.base, up=False)
    add(page, "Terracotta pot")
    expect(page.locator(".notice")).to_contain_text("This server does not answer. Your cart is safe in the store")
    assert f"type {cart.base} and Enter" in cart.wait_for("is down: killed by SIGKILL", after=said)
    page.goto(cart.url(1))
    assert cart_of(page) == {"Terracotta pot": 1}
    page.get_by_role("button", name=f"Restart {cart.label(0)}").click()
    expect(page.locator(".notice")).to_contain_text("is back")


def test_a_store_that_does_not_answer_is_reported_where_the_visitor_clicks(cart: CartRun, page: Page) -> None:
    page.goto(cart.url(0))
    add(page, "Terracotta pot")
    expect_quantity(page, "Terracotta pot", 1)
    store = cart.store_pid()
    os.kill(store, signal.SIGSTOP)
    try:
        add(page, "Honey jar")
        notice = page.locator(".notice")
        expect(notice).to_contain_text("The store does not answer. What you have is safe there", timeout=20_000)
    finally:
        os.kill(store, signal.SIGCONT)
    expect_quantity(page, "Terracotta pot", 1)
    add(page, "Linen notebook")
    expect_quantity(page, "Linen notebook", 1)


def test_a_store_that_is_stopped_for_a_while_is_a_notice_until_it_is_back(cart: CartRun, page: Page) -> None:
    """By the button of the page. The red notice goes when the store is back, and a page in its place shows the shop."""
    page.goto(cart.url(0))
    add(page, "Stoneware teapot")
    expect_quantity(page, "Stoneware teapot", 1)
    page.get_by_role("button", name="Stop the store for 10 s").click()
    add(page, "Enamel mug")
    notice = page.locator("#notices .notice")
    expect(notice).to_contain_text("The store does not answer", timeout=20_000)
    other = page.context.new_page()
    other.goto(cart.url(1))
    expect(other.get_by_role("heading", name="One moment: the store does not answer")).to_be_visible()
    expect(notice).to_contain_text("The store is back", timeout=30_000)
    expect(notice).to_have_class("notice good")
    expect_quantity(other, "Stoneware teapot", 1)  # it has tried again by itself
    add(page, "Enamel mug")
    expect_quantity(page, "Enamel mug", 1)


@one_pair
@pytest.mark.parametrize("width", [800, 360])
def test_cart_and_inspector_come_before_the_goods_in_a_narrow_window(cart: CartRun, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(cart.url(0))
    tops = [page.locator(part).bounding_box() for part in ("#cart", "#inspector", "#main")]
    heights = [box["y"] for box in tops if box is not None]
    assert len(heights) == 3
    assert heights == sorted(heights)


@one_pair
def test_a_click_counts_while_the_page_looks_for_changes_of_other_tabs(cart: CartRun, page: Page) -> None:
    hold(page, "/Cart/session.json")
    page.goto(cart.url(0))
    expect_held(page)
    add(page, "Honey jar")
    expect_quantity(page, "Honey jar", 1)


@one_pair
def test_clicks_that_come_faster_than_answers_all_count(cart: CartRun, page: Page) -> None:
    hold(page, "/Cart")
    page.goto(cart.url(0))
    for name in ("Honey jar", "Terracotta pot", "Honey jar"):
        add(page, name)
    expect_held(page)
    page.evaluate("letThrough()")
    expect_quantity(page, "Honey jar", 2)
    expect_quantity(page, "Terracotta pot", 1)


def test_the_shop_works_without_javascript(cart: CartRun, open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)
    page.goto(cart.url(0))
    page.get_by_role("link", name="Hand trowel").first.click()
    expect(page).to_have_url(cart.url(0, "/Cart/product/trowel"))
    page.get_by_role("button", name="Add Hand trowel to the cart").click()
    expect(page).to_have_url(cart.url(0))
    expect_quantity(page, "Hand trowel", 1)
    page.get_by_role("button", name="One Hand trowel more").click()
    expect_quantity(page, "Hand trowel", 2)
    assert history_of(page) == ["Hand trowel"]
    page.get_by_role("button", name="Add 200 kB to the session").click()
    expect(page.locator(".notice")).to_contain_text("The session now carries 200 kB.")
    page.get_by_role("button", name="One Hand trowel less").click()
    expect_quantity(page, "Hand trowel", 1)
    assert number(page, "bytes-sent") < 300
    page.get_by_role("button", name="Two tabs at once").click()
    expect(page.locator(".race").get_by_role("heading")).to_have_text("Both changes were kept")
    page.get_by_role("link", name=f"See this session on {cart.title(1)}").click()
    expect_server(page, cart.label(1))
    assert cart_of(page) == {"Hand trowel": 1}
    page.get_by_role("button", name="Kill this server").click()
    expect(page.locator(".down")).to_contain_text(f"{cart.label(1)} is down.")
    page.get_by_role("button", name=f"Restart {cart.label(1)}").click()
    expect(page.locator(".notice")).to_contain_text(f"{cart.label(1)} is back")
    page.get_by_role("button", name="Empty the cart").click()
    expect(page.locator("#cart")).to_contain_text("Nothing yet.")


def test_links_keep_the_host_name_that_the_visitor_uses(cart: CartRun, page: Page) -> None:
    page.goto(cart.url(0, "/Cart/product/pot", host="127.0.0.1"))
    session = ref(page)
    page.get_by_role("link", name=f"See this session on {cart.title(1)}").click()
    expect_server(page, cart.label(1))
    assert page.url == cart.url(1, "/Cart/product/pot", host="127.0.0.1")
    assert ref(page) == session


def test_the_session_id_is_out_of_reach_of_scripts_and_pages(cart: CartRun, page: Page) -> None:
    """S-80, S-100: people see the ref; the credential stands in the cookie alone."""
    page.goto(cart.url(0, "/Cart/product/pot"))
    cookies = [cookie for cookie in page.context.cookies() if not cookie.get("name", "").endswith("-v")]
    [credential] = [cookie["value"] for cookie in cookies if cookie.get("name", "").startswith("sid")]
    assert page.evaluate("document.cookie") == ""
    assert credential not in page.content()
    page.goto(cart.url(0, "/Cart/session.json"))
    assert credential not in page.content()
    assert credential not in cart.text


@one_pair
def test_everything_can_be_done_by_keyboard(cart: CartRun, page: Page) -> None:
    page.goto(cart.url(0))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the goods")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.get_by_role("button", name="Add Honey jar to the cart").focus()
    page.keyboard.press("Enter")
    expect_quantity(page, "Honey jar", 1)
    more = page.get_by_role("button", name="One Honey jar more")
    more.focus()
    page.keyboard.press("Enter")
    expect_quantity(page, "Honey jar", 2)
    expect(more).to_be_focused()
    less = page.get_by_role("button", name="One Honey jar less")
    less.focus()
    for left in (1, 0):
        page.keyboard.press("Enter")
        if left:
            expect_quantity(page, "Honey jar", left)
    expect(page.locator("#cart")).to_be_focused()


@one_pair
def test_every_page_passes_axe(cart: CartRun, open_page: OpenPage) -> None:
    """WCAG 2.2 AA, as far as a program can tell, in both colour schemes and on both servers."""
    page = open_page(reduced_motion="reduce")  # a colour that is still changing is neither scheme's
    for server, paths in enumerate((["/Cart", "/Cart/product/lamp", "/Cart/product/unicorn"], ["/Cart"])):
        for path in paths:
            page.goto(cart.url(server, path))
            expect_no_violations(page)
        add_one(page, cart, server)
        page.get_by_role("button", name="Two tabs at once").click()
        expect(page.locator(".race")).to_be_visible()
        expect_no_violations(page)
    page.get_by_role("button", name="Kill this server").click()
    expect(page.locator(".down")).to_be_visible()
    expect_no_violations(page)
    page.get_by_role("button", name="Restart").click()
    expect(page.locator(".notice")).to_contain_text("is back")


def add_one(page: Page, cart: CartRun, server: int) -> None:
    page.goto(cart.url(server))
    before = cart_of(page).get("Reading lamp", 0)
    add(page, "Reading lamp")
    expect_quantity(page, "Reading lamp", before + 1)


def expect_no_violations(page: Page) -> None:
    """In both colour schemes, between which a page changes without being loaded again."""
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}})
        assert found.violations_count == 0, f"{page.url}, {scheme}\n{found.generate_report()}"


@one_pair
def test_nothing_is_wider_than_the_window(cart: CartRun, page: Page) -> None:
    """A page adapts to its window by its style sheet alone: the width that it was opened with makes no difference."""
    for path in ("/Cart", "/Cart/product/watering-can"):
        page.goto(cart.url(0, path))
        add(page, "Garden lantern")
        expect(page.locator("#cart .lines li")).to_have_count(1)
        for width in (320, 360, 600, 800, 1080, 1280, 1920):
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_function("width => innerWidth === width", arg=width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)


@one_pair
def test_the_readmes_picture_can_be_made(cart: CartRun, page: Page, images: Path) -> None:
    """Done anew for the README by ``MAKE_PICTURES=1 ./dev browser -k picture``."""
    for sku in ("notebook", "mug", "watering-can", "teapot", "pot"):
        page.goto(cart.url(0, f"/Cart/product/{sku}"))
    page.goto(cart.url(0))
    for name in ("Stoneware teapot", "Terracotta pot", "Terracotta pot"):
        before = cart_of(page).get(name, 0)
        add(page, name)
        expect_quantity(page, name, before + 1)
    page.goto(cart.url(0))
    page.set_viewport_size({"width": 1280, "height": 980})
    page.screenshot(path=images / "cart.png", animations="disabled")
    picture = (images / "cart.png").read_bytes()
    assert int.from_bytes(picture[16:20]) == 1280
    assert len(picture) < 300_000
