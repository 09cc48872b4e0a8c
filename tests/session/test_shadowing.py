"""Attributes that templates would not find, because every session has something of that name: the author is told."""

from __future__ import annotations

import warnings

import jinja2
import pytest

from tests.nodes import Node, two_nodes
from wsgessions import Session
from wsgessions.session import ShadowedNameWarning
from wsgessions_quart.session import QuartSession

NAMES = ["id", "status", "version", "principal", "ref", "created_at"]


@pytest.fixture
def node() -> Node:
    return two_nodes()[0]


@pytest.mark.parametrize("name", NAMES)
def test_whoever_sets_such_a_name_is_told_where(name: str) -> None:
    session = Session()
    with pytest.warns(ShadowedNameWarning, match=rf"session\['{name}'\]") as told:  # noqa: PT031 - all of them warn
        session[name] = 7
        session.update({name: 7})
        session.setdefault(name, 7)
        session |= {name: 7}
    assert [each.filename for each in told] == [__file__] * 3  # setdefault has set nothing
    assert session[name] == 7


def test_other_names_are_nobodys_business() -> None:
    """Nor are those that a dict has, too: templates show these of any dict."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Session({"user": 1, "items": 1, "keys": 1, "get": 1, "_id": 1})


def test_what_a_framework_adds_counts_too() -> None:
    with pytest.warns(ShadowedNameWarning, match="permanent"):
        QuartSession()["permanent"] = True


async def test_a_template_never_shows_the_id(node: Node) -> None:
    """S-80: ``session.id`` where ``session["id"]`` was meant."""
    async with node.manager.open() as session:
        session["a"] = 1
        await session.commit()
        assert session.id is not None
        text = session.id.get_secret_value()
        for template in ("{{ session.id }}", "{{ session.id|safe }}", "{{ session.id|string }}", "{{ [session.id] }}"):
            shown = jinja2.Environment(autoescape=True).from_string(template).render(session=session)
            assert "***" in shown
            assert text not in shown
