"""Cases of `AdapterSuite`: other middleware above and below the sessions (R-51)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ...web import ASGIApp
from .actions import Pause, pauses
from .client import Browser
from .harness import AdapterHarness, Node, Nodes, cookies_set
from .middleware import (
    LAYERS,
    ORIGIN,
    Layer,
    compressing,
    counting,
    failing_on_errors,
    handling_errors,
    in_a_task,
    marking,
    measuring,
    sharing,
)

__all__ = ["LayerCases"]


class LayerCases(AdapterHarness):
    """The session works the same, and no layer loses its headers."""

    @pytest.fixture(params=["inside", "outside"])
    def inside(self, request: pytest.FixtureRequest) -> bool:
        """Whether the other middleware is between the sessions and the application, or around both."""
        return bool(request.param == "inside")

    @pytest.mark.parametrize("name", LAYERS)
    async def test_other_middleware_leaves_the_session_as_it_is(self, nodes: Nodes, name: str, inside: bool) -> None:
        browser = _around(nodes, inside, LAYERS[name])
        assert "set-cookie" not in (await browser.get("/untouched")).headers
        given = cookies_set(await browser.get("/do/set-color"))
        assert set(given) == {"__Host-sid", "__Host-sid-v"}
        assert await browser.do("read") == {"color": "color"}
        before = browser.copy()
        await browser.do("login-ann")
        assert await before.do("read") == {}
        assert (await browser.get("/stream/set-late")).status_code == 200
        assert await browser.do("names") == ["color", "late", "user"]
        assert (await browser.get("/raise/set-lost")).status_code == 500
        assert await browser.do("length") == 3
        response = await browser.get("/do/invalidate")
        assert all("Max-Age=0" in cookie for cookie in response.headers.get_list("set-cookie"))
        assert await browser.do("read") == {}

    async def test_each_of_several_keeps_its_headers(self, nodes: Nodes, inside: bool) -> None:
        """S-40: Vary contains the fields of all layers."""
        for layers in ((compressing, sharing), (sharing, compressing)):
            browser = _around(nodes, inside, *layers)
            response = await browser.get("/do/set-color", headers={"origin": ORIGIN})
            assert response.headers["content-encoding"] == "gzip"
            assert response.headers["access-control-allow-origin"] == ORIGIN
            assert response.headers["cache-control"] == "no-store"
            varied = {part.strip() for part in response.headers["vary"].split(",")}
            assert varied == {"Accept-Encoding", "Origin", "Cookie"}
            assert await browser.do("get-color") == "color"

    async def test_a_preflight_has_no_session(self, nodes: Nodes) -> None:
        """R-47: a response of the middleware itself costs no session and no header of ours."""
        node = nodes(inside=sharing)
        headers = {"origin": ORIGIN, "access-control-request-method": "GET"}
        response = await node.browser().request("OPTIONS", "/do/set-color", headers=headers)
        assert response.status_code == 204
        assert not {"set-cookie"} & set(response.headers)
        assert "cookie" not in response.headers["vary"].lower()
        assert node.store.calls.total() == 0

    @pytest.mark.parametrize("tasks", [True, False])
    async def test_middleware_inside_can_use_the_session(self, nodes: Nodes, tasks: bool) -> None:
        """Before the handler, and after it until the response leaves; also where the handler is in another task."""
        browser = nodes(inside=_stacked(counting, in_a_task) if tasks else counting).browser()
        answers = [await browser.get("/do/set-color") for _ in range(3)]
        assert [answer.headers["x-requests"] for answer in answers] == ["0", "1", "2"]
        assert await browser.do("read") == {"color": "color", "requests": 3}

    @pytest.mark.parametrize("failure", ["load", "commit", "end"])
    async def test_an_error_response_of_the_session_passes_the_layers(
        self, nodes: Nodes, inside: bool, failure: str
    ) -> None:
        """R-34, R-51: in place of the application's it is readable for another origin, and counted as what it is."""
        statuses: list[int] = []
        layers = _stacked(measuring(statuses), in_a_task, sharing)
        node = nodes(inside=layers) if inside else nodes()
        browser = node.browser() if inside else node.browser().at(layers(node))
        await browser.do("set-color")
        response = await _failing(node, browser, failure)
        assert response.status_code == (self.gone_status if failure == "end" else 503)
        assert response.headers["access-control-allow-origin"] == ORIGIN
        assert "Origin" in response.headers["vary"]
        assert "set-cookie" not in response.headers
        assert statuses == [200, response.status_code]
        node.store.stopped = False
        assert await browser.do("read") == ({} if failure == "end" else {"color": "color"})

    @pytest.mark.parametrize("failure", ["load", "commit", "end"])
    @pytest.mark.parametrize("layer", [marking, failing_on_errors], ids=["writes", "fails"])
    @pytest.mark.parametrize("tasks", [True, False])
    async def test_a_layer_that_fails_with_an_error_response_of_the_session_leaves_it_to_the_client(
        self, nodes: Nodes, failure: str, layer: Layer, tasks: bool
    ) -> None:
        """R-34: the layer writes a session that cannot be used, or has a fault. The server gets its own fault."""
        node = nodes(inside=_stacked(layer, in_a_task) if tasks else layer)
        browser = node.browser()
        await browser.do("set-color")
        response = await _failing(node, browser, failure)
        assert response.status_code in ({self.gone_status, 409} if failure == "end" else {503})
        assert "set-cookie" not in response.headers
        assert node.errors or layer is not failing_on_errors
        node.store.stopped = False
        kept = {"color", "marked"} if layer is marking else {"color"}
        assert set(await browser.do("read")) == (set() if failure == "end" else kept)

    async def test_an_error_page_of_the_400s_keeps_what_was_changed(self, nodes: Nodes) -> None:
        """R-33: for any source of the response. Some frameworks turn an error into a 500 before any middleware sees
        it.
        """
        browser = nodes(inside=handling_errors(422)).browser()
        response = await browser.get("/raise/set-color")
        kept = {422: {"color": "color", "error": "the handler failed"}, 500: {}}
        assert await browser.do("read") == kept[response.status_code]

    async def test_an_error_page_of_the_500s_drops_what_was_changed_and_the_new_id(self, nodes: Nodes) -> None:
        """R-33, S-06: a login that failed has not happened."""
        browser = nodes(inside=handling_errors(503)).browser()
        await browser.do("set-color")
        before = browser.copy()
        response = await browser.get("/raise/login-ann")
        assert response.status_code in {503, 500}, "500 where the framework handles errors further inside"
        assert browser.id == before.id
        assert await browser.do("read") == {"color": "color"}

    async def test_a_failed_login_does_not_cost_the_session(self, browser: Browser) -> None:
        """R-31: with any response, the client has a valid id."""
        await browser.do("set-color")
        assert (await browser.get("/raise/login-ann")).status_code == 500
        assert await browser.do("read") == {"color": "color"}


async def _failing(node: Node, browser: Browser, failure: str) -> Any:
    """The response to a request that cannot get its session, cannot store its changes, or whose session has ended."""
    headers = {"origin": ORIGIN}
    if failure == "load":
        node.store.stopped = True
        return await browser.get("/do/read", headers=headers)
    pause = pauses["size"] = Pause()
    request = asyncio.create_task(browser.copy().get("/do/pause-size", headers=headers))
    await pause.reached.wait()
    if failure == "commit":
        node.store.stopped = True
    else:
        async with node.manager.open(browser.id) as session:
            await session.invalidate()
    pause.resume.set()
    return await request


def _around(nodes: Nodes, inside: bool, *layers: Layer) -> Browser:
    """A browser at a server that has these layers, the first one outermost."""
    if inside:
        return nodes(inside=_stacked(*layers)).browser()
    node = nodes()
    return node.browser().at(_stacked(*layers)(node))


def _stacked(*layers: Layer) -> Layer:
    def layer(app: ASGIApp) -> ASGIApp:
        for each in reversed(layers):
            app = each(app)
        return app

    return layer
