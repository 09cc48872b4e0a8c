"""Who may use the sample's buttons, and what its links and messages are made of."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import pytest

from wsgessions.internal.loopback import is_loopback
from wsgessions_cart.guard import Guard, may_control
from wsgessions_cart.notices import notice_of
from wsgessions_cart.places import Framework, Servers, visitor_host

SUPERVISED = Servers.from_environment(
    Framework.FASTAPI, {"CART_SERVERS": "fastapi:9081,starlette:9082", "CART_PORT": "9081"}
)
ALONE = Servers.from_environment(Framework.STARLETTE, {})


def scope_of(
    method: str = "POST", path: str = "/Cart/kill", server: str = "127.0.0.1", **headers: str
) -> dict[str, Any]:
    fields = {"host": "localhost:9081"} | {name.replace("_", "-"): value for name, value in headers.items()}
    encoded = [(name.encode(), value.encode()) for name, value in fields.items()]
    return {"type": "http", "method": method, "path": path, "server": (server, 9081), "headers": encoded}


async def ask(scope: dict[str, Any], servers: Servers = SUPERVISED) -> tuple[int, dict[bytes, bytes]]:
    """The status and the headers that come through the guard of an application that says 200 to everything."""
    sent: list[MutableMapping[str, Any]] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    await Guard(app, servers)(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"])


@pytest.mark.parametrize("path", ["/Cart/kill", "/Cart/restart"])
async def test_the_own_page_may_stop_and_start_servers(path: str) -> None:
    status, _ = await ask(scope_of(path=path, sec_fetch_site="same-origin"))
    assert status == 200


@pytest.mark.parametrize("path", ["/Cart/kill", "/Cart/restart"])
@pytest.mark.parametrize(
    "stranger",
    [
        {"server": "192.168.1.7"},
        {"host": "rebound.example:9081"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
    ids=str,
)
async def test_nobody_else_may(path: str, stranger: dict[str, str]) -> None:
    status, _ = await ask(scope_of(path=path, **stranger))
    assert status == 403


async def test_without_a_supervisor_there_is_nothing_to_control() -> None:
    status, _ = await ask(scope_of(), ALONE)
    assert status == 403
    assert not may_control(scope_of(), ALONE)


@pytest.mark.parametrize("site", [{"sec_fetch_site": "cross-site"}, {"origin": "http://evil.example"}], ids=str)
async def test_the_cart_is_not_changed_by_other_sites_pages(site: dict[str, str]) -> None:
    status, _ = await ask(scope_of(path="/Cart", **site))
    assert status == 403
    status, _ = await ask(scope_of(method="GET", path="/Cart", **site))
    assert status == 200


async def test_a_program_without_a_browser_may_change_the_cart() -> None:
    status, _ = await ask(scope_of(path="/Cart"))
    assert status == 200


async def test_pages_may_load_nothing_from_elsewhere_and_run_no_inline_script() -> None:
    _, headers = await ask(scope_of(method="GET", path="/Cart"))
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "form-action 'self' http://localhost:9082;" in policy


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost:9081", "localhost"),
        ("127.0.0.1:9081", "127.0.0.1"),
        ("[::1]:9081", "[::1]"),
        ("my-laptop.local", "my-laptop.local"),
        ("evil'; script-src *", "localhost"),
        ('"><script>', "localhost"),
        ("", "localhost"),
    ],
)
def test_links_keep_the_visitors_host_name_and_nothing_else_of_the_header(header: str, name: str) -> None:
    assert visitor_host(scope_of(host=header)) == name


@pytest.mark.parametrize("name", ["localhost", "cart.localhost", "127.0.0.1", "127.8.8.8", "[::1]", "::1"])
def test_names_of_this_machine(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize("name", ["localhost.example", "0.0.0.0", "192.168.0.1", "example", ""])
def test_other_names(name: str) -> None:
    assert not is_loopback(name)


def test_each_server_knows_itself_and_the_others_by_the_supervisors_word() -> None:
    assert SUPERVISED.here.label == "FastAPI :9081"
    assert [other.label for other in SUPERVISED.others] == ["Starlette :9082"]
    assert (SUPERVISED.here.colour, SUPERVISED.others[0].colour) == ("goldenrod", "darkseagreen")
    assert SUPERVISED.others[0].url("127.0.0.1", "/Cart") == "http://127.0.0.1:9082/Cart"


@pytest.mark.parametrize(
    "note", ["", "moved", "nonsense", "moved-x", "moved-9999", "<script>", "back-99999999999", "-9081", "9081"]
)
def test_a_note_that_no_button_gives_shows_nothing(note: str) -> None:
    assert notice_of(note, SUPERVISED) is None


def test_a_note_names_the_server_that_it_is_about() -> None:
    notice = notice_of("moved-9082", SUPERVISED)
    assert notice is not None
    assert notice.text.startswith("Starlette :9082 was killed and is down. You were moved to FastAPI :9081")
