"""Cases of `AdapterSuite`: reading attributes that were stored in a session."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from ...web import Message
from .client import Browser
from .harness import AdapterHarness, Node, Nodes

__all__ = ["ReadingCases"]


class ReadingCases(AdapterHarness):
    """Attributes, with one server and with two."""

    async def test_what_one_request_puts_in_the_next_one_finds(self, browser: Browser) -> None:
        await browser.do("set-color")
        assert await browser.do("read") == {"color": "color"}

    async def test_another_server_finds_it_as_well(self, browser: Browser, nodes: Nodes) -> None:
        await browser.do("set-color")
        browser.at(nodes())
        assert await browser.do("read") == {"color": "color"}
        await browser.do("set-size")
        assert await browser.at(nodes()).do("names") == ["color", "size"]

    async def test_each_browser_has_a_session_of_its_own(self, node: Node, browser: Browser) -> None:
        await browser.do("set-color")
        other = node.browser()
        assert await other.do("read") == {}
        await other.do("set-size")
        assert await browser.do("names") == ["color"]

    async def test_a_change_inside_a_value_needs_no_further_word(self, browser: Browser, nodes: Nodes) -> None:
        """R-03."""
        await browser.do("cart")
        await browser.do("append-tea")
        await browser.at(nodes()).do("append-milk")
        assert await browser.do("get-cart") == {"lines": ["tea", "milk"]}

    async def test_values_of_each_type_come_back_exactly(self, browser: Browser, nodes: Nodes) -> None:
        """R-02."""
        await browser.do("values")
        assert await browser.do("same") is True
        assert await browser.at(nodes()).do("same") is True

    async def test_values_of_subclasses_come_back_as_plain_data(self, browser: Browser, nodes: Nodes) -> None:
        """R-02, R-03: changes in them are found after a commit too."""
        await browser.do("derive")
        assert await browser.do("plain") is True
        assert await browser.at(nodes()).do("plain") is True

    async def test_values_of_subclasses_are_refused_where_the_settings_say_so(self, nodes: Nodes) -> None:
        """R-01."""
        browser = nodes(strict_values=True).browser()
        assert (await browser.get("/do/derive")).status_code == 500
        assert browser.id is None

    async def test_what_is_removed_is_gone_for_every_server(self, browser: Browser, nodes: Nodes) -> None:
        """R-06."""
        await browser.do("fill-3")
        await browser.do("delete-name1")
        assert await browser.at(nodes()).do("names") == ["name0", "name2"]

    async def test_clearing_empties_the_session_and_keeps_it(self, browser: Browser) -> None:
        """R-06."""
        await browser.do("fill-3")
        before = browser.id
        await browser.do("clear")
        assert await browser.do("read") == {}
        await browser.do("set-color")
        assert browser.id == before

    async def test_many_attributes_can_be_set_at_once(self, browser: Browser, nodes: Nodes) -> None:
        await browser.do("fill-100")
        assert await browser.at(nodes()).do("length") == 100

    async def test_only_what_changed_is_sent(self, node: Node, browser: Browser) -> None:
        await browser.do("fill-20")
        await browser.do("read")
        node.store.forget()
        await browser.do("set-color")
        assert [list(delta.changed) for delta in node.store.deltas] == [["color"]]
        assert node.store.calls["apply"] == 1
        assert node.store.calls["load"] <= 1

    async def test_a_read_writes_nothing(self, node: Node, browser: Browser) -> None:
        await browser.do("fill-20")
        node.store.forget()
        await browser.do("read")
        assert set(node.store.calls) <= {"load", "touch"}

    async def test_a_handler_that_is_no_coroutine_has_the_same_session(self, browser: Browser) -> None:
        """R-40."""
        await browser.get("/sync/cart")
        await browser.get("/sync/append-tea")
        assert (await browser.get("/sync/read")).json() == {"cart": {"lines": ["tea"]}}
        await browser.do("append-milk")
        assert (await browser.get("/sync/get-cart")).json() == {"lines": ["tea", "milk"]}

    async def test_the_session_itself_can_be_the_answer(self, browser: Browser) -> None:
        await browser.do("cart")
        await browser.do("append-tea")
        await browser.do("set-color")
        response = await browser.get("/session")
        assert response.json() == {"cart": {"lines": ["tea"]}, "color": "color"}
        assert "cookie" in response.headers["vary"].lower()

    async def test_an_increment_counts_every_request(self, browser: Browser, nodes: Nodes) -> None:
        """K-03."""
        await browser.do("set-color")
        browsers = [browser.copy(), browser.copy().at(nodes())]
        await asyncio.gather(*(one.do("increment-hits") for one in browsers for _ in range(20)))
        assert await browser.do("get-hits") == 40

    async def test_changes_of_different_attributes_are_all_kept(self, browser: Browser, nodes: Nodes) -> None:
        """K-02."""
        await browser.do("set-color")
        browsers = [browser.copy(), browser.copy().at(nodes())]
        await asyncio.gather(*(browsers[index % 2].do(f"set-a{index}") for index in range(40)))
        assert set(await browser.do("names")) == {"color", *(f"a{index}" for index in range(40))}

    @pytest.mark.parametrize("route", ["do", "sync"])
    async def test_concurrent_requests_see_their_own_sessions_only(self, node: Node, route: str) -> None:
        """R-40, K-11."""
        browsers = [node.browser() for _ in range(25)]
        await asyncio.gather(*(one.get(f"/{route}/set-own{index}") for index, one in enumerate(browsers)))
        answers = await asyncio.gather(*(one.get(f"/{route}/names") for one in browsers for _ in range(4)))
        assert [answer.json() for answer in answers] == [[f"own{index}"] for index in range(25) for _ in range(4)]

    async def test_a_commit_in_the_handler_is_in_force_at_once(self, browser: Browser, nodes: Nodes) -> None:
        await browser.do("set-color")
        assert (await browser.get("/raise/commit-size")).status_code == 500
        assert await browser.at(nodes()).do("names") == ["color", "size"]

    async def test_an_action_on_an_excluded_path_loads_when_it_says_so(self, browser: Browser, nodes: Nodes) -> None:
        """R-30, R-48."""
        await browser.do("set-color")
        static = nodes(exclude=["/do", "/untouched"])
        browser.at(static)
        assert (await browser.get("/untouched")).status_code == 200
        assert static.store.calls.total() == 0
        assert await browser.do("load-color") == "color"
        assert (await browser.get("/do/get-color")).status_code == 500

    async def test_the_application_starts_and_stops_its_manager(self, nodes: Nodes) -> None:
        """R-44: as the server does it, by the lifespan."""
        node = nodes()
        said: asyncio.Queue[str] = asyncio.Queue()
        told: asyncio.Queue[dict[str, str]] = asyncio.Queue()

        async def answer(message: Message) -> None:
            await said.put(message["type"])

        life = asyncio.create_task(
            node({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, told.get, answer)
        )
        await told.put({"type": "lifespan.startup"})
        assert await said.get() == "lifespan.startup.complete"
        browser = node.browser()
        await browser.do("set-color")
        assert await browser.do("get-color") == "color"
        await told.put({"type": "lifespan.shutdown"})
        assert await said.get() == "lifespan.shutdown.complete"
        await life

    async def test_a_store_out_of_reach_fails_the_start_with_its_reason(self, node: Node) -> None:
        """R-45."""
        node.store.stopped = True
        sent: list[Message] = []

        async def startup() -> dict[str, str]:
            return {"type": "lifespan.startup"}

        async def collect(message: Message) -> None:
            sent.append(message)

        with suppress(Exception):  # some frameworks also raise the error that the server got
            await node({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, startup, collect)
        assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
        assert "wsgessions could not start" in sent[0]["message"]
