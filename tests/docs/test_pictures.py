"""The diagrams are what their programs draw, with true figures, for every reader."""

from __future__ import annotations

import inspect
import re
from datetime import timedelta
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from devtools.pictures import PICTURES, session_life, store_outage, two_cookies
from devtools.pictures.drawing import FILLS, INKS, Picture
from tests.docs.test_snippets import DOCS, PAGES, name_of
from wsgessions import SessionSettings
from wsgessions.credentials.watermark import WATERMARK_LENGTH
from wsgessions.stores.valkey.client.link import Link
from wsgessions.web.error_responses import RETRY_AFTER_SECONDS

SVG = "{http://www.w3.org/2000/svg}"
READABLE = 4.5
"""The contrast that WCAG 2 asks for at level AA."""

each_picture = pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_the_file_is_what_its_program_draws(name: str) -> None:
    """`./dev docs --pictures` draws it anew."""
    assert (DOCS / "images" / name).read_text() == PICTURES[name].svg()


def parsed(picture: Picture) -> ET.Element:
    return ET.fromstring(picture.svg())  # noqa: S314 - our own


@each_picture
def test_a_picture_is_told_to_readers_who_do_not_see_it(picture: Picture) -> None:
    root = parsed(picture)
    named = root.attrib["aria-labelledby"].split()
    assert [root.find(f"{SVG}*[@id='{name}']") is not None for name in named] == [True, True]
    assert picture.title
    assert len(picture.description) > len(picture.title)


@each_picture
def test_text_on_a_part_is_black_or_white_and_nothing_else(picture: Picture) -> None:
    """So that two contrasts have to be looked at: this one on every part, and the other colours on the background."""
    inside = [text for text in parsed(picture).iter(f"{SVG}text") if "free" not in classes(text)]
    assert inside
    assert {"ink"} == set(chain.from_iterable(classes(text) & INKS.keys() for text in inside))


def classes(element: ET.Element) -> set[str]:
    return set(element.attrib["class"].split())


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(scheme: int) -> None:
    on_parts = [(INKS["ink"], behind) for behind in FILLS.values()]
    on_the_background = [(ink, FILLS["paper"]) for ink in INKS.values()]
    pairs = [(ink[scheme], behind[scheme]) for ink, behind in on_parts + on_the_background]
    assert [pair for pair in pairs if contrast(*pair) < READABLE] == []


def contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG 2 defines it: from 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_black_on_white_is_the_largest_contrast_and_a_known_grey_is_just_readable() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#767676", "#ffffff"), 2) == 4.54


def test_the_figures_of_an_outage_are_the_defaults() -> None:
    settings = SessionSettings()
    assert settings.heartbeat == timedelta(seconds=store_outage.HEARTBEAT)
    assert settings.lease == timedelta(seconds=store_outage.LEASE)
    assert settings.nonstop_timeout == timedelta(seconds=store_outage.TIMEOUT)
    assert RETRY_AFTER_SECONDS == store_outage.RETRY_AFTER
    assert inspect.signature(Link).parameters["stall_limit"].default == store_outage.STALL


def test_the_times_of_a_session_are_the_defaults() -> None:
    settings = SessionSettings()
    assert settings.max_inactive_interval == timedelta(minutes=session_life.IDLE_MINUTES)
    assert settings.absolute_timeout == timedelta(hours=session_life.AGE_HOURS)


def test_the_lengths_of_the_cookies_are_the_defaults() -> None:
    settings = SessionSettings()
    assert settings.id_length == two_cookies.ID_LENGTH
    assert two_cookies.WATERMARK_LENGTH == WATERMARK_LENGTH


def test_the_settings_of_the_deployments_are_accepted_in_production() -> None:
    urls = re.findall(r'store_url = "(.*?)"', PICTURES["deployments.svg"].svg())
    assert [SessionSettings(env="production", store_url=url).store_url.scheme for url in urls] == [
        "embedded",
        "valkeys",
        "valkeys",
    ]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_an_image_of_a_page_has_a_text_in_its_place(page: Path) -> None:
    images = re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", page.read_text())
    assert [target for text, target in images if len(text) < len("The cart sample")] == []


def test_every_picture_is_shown_on_a_page() -> None:
    shown = "".join(page.read_text() for page in PAGES)
    assert [name for name in PICTURES if f"images/{name})" not in shown] == []
