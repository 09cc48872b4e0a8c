"""The diagrams of the documentation as a browser shows them."""

from __future__ import annotations

from itertools import combinations
from typing import Literal, NamedTuple

import pytest
from playwright.sync_api import Browser

from devtools.pictures import PICTURES
from devtools.pictures.drawing import WIDTH

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

EDGE = 4
"""Pixels that stay free at the edges of a picture."""
AIR = 3
"""Pixels of the height of a line that hold no letters, above and below."""
BOXES_OF_TEXT = """texts => texts.map(text => {
    const box = text.getBBox()
    return [text.textContent, box.x, box.y, box.x + box.width, box.y + box.height]
})"""
BOXES_AROUND = """texts => texts.filter(text => !text.classList.contains("free")).map(text => {
    const box = text.getBBox()
    let around = text.previousElementSibling
    while (around.tagName === "text") around = around.previousElementSibling
    const outer = around.getBBox()
    return [text.textContent, box.x - outer.x, outer.x + outer.width - box.x - box.width]
})"""


class Box(NamedTuple):
    text: str
    left: float
    top: float
    right: float
    bottom: float


@pytest.mark.parametrize("name", PICTURES)
def test_all_text_of_a_picture_can_be_read(name: str, browser: Browser) -> None:
    """No text is cut off by an edge, lies on another one, or leaves the part that it belongs to."""
    page = browser.new_page()
    page.set_content(PICTURES[name].svg())
    texts = page.locator("svg text")
    boxes = [Box(*box) for box in texts.evaluate_all(BOXES_OF_TEXT)]
    around = texts.evaluate_all(BOXES_AROUND)
    page.close()
    height = PICTURES[name].height
    assert boxes
    assert [box for box in boxes if box.left < EDGE or box.right > WIDTH - EDGE or box.bottom > height] == []
    assert [(one.text, other.text) for one, other in combinations(boxes, 2) if touch(one, other)] == []
    assert [text for text, left, right in around if min(left, right) < EDGE] == []


def touch(one: Box, other: Box) -> bool:
    across = one.left < other.right and other.left < one.right
    return across and one.top + AIR < other.bottom - AIR and other.top + AIR < one.bottom - AIR


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_picture_has_the_colours_of_the_page_around_it(scheme: Literal["light", "dark"], browser: Browser) -> None:
    """The switch of a site sets `color-scheme`; what the system prefers does not count then."""
    assert picture_in(browser, system="light", page=scheme) == picture_in(browser, system="dark", page=scheme)
    assert picture_in(browser, system="light", page="light") != picture_in(browser, system="light", page="dark")


def picture_in(browser: Browser, *, system: Literal["light", "dark"], page: Literal["light", "dark"]) -> bytes:
    """What is seen of a picture on a page with this colour scheme, where the system prefers that one."""
    tab = browser.new_page(color_scheme=system)
    picture, empty = PICTURES["architecture.svg"].svg(), "<!doctype html><body>"
    tab.route("**/picture.svg", lambda route: route.fulfill(body=picture, content_type="image/svg+xml"))
    tab.route("**/page", lambda route: route.fulfill(body=empty, content_type="text/html"))
    tab.goto("http://pictures.test/page")
    tab.set_content(f'<body style="color-scheme: {page}"><img src="http://pictures.test/picture.svg">')
    tab.locator("img").evaluate("image => image.decode()")
    seen = tab.locator("img").screenshot()
    tab.close()
    return seen
