"""``wsgessions cart`` as processes: what happens when one of them is killed, and how all of them end."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.samples.cart_run import PAIRS, PATIENCE, CartRun, free_port_base

pytestmark = pytest.mark.xdist_group("cart")


@pytest.fixture(scope="module", params=PAIRS)
def cart(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CartRun]:
    """One running cart of each pair of frameworks, for the tests that leave it as they found it."""
    run = CartRun.started(tmp_path_factory.mktemp("cart"), servers=request.param)
    yield run
    run.destroy()


@pytest.fixture
def visitor() -> Iterator[httpx2.Client]:
    """A browser's cookie jar: cookies know hosts, not ports."""
    with httpx2.Client(timeout=PATIENCE, trust_env=False) as client:
        yield client


def change(visitor: httpx2.Client, cart: CartRun, server: int, action: str, item: str = "") -> httpx2.Response:
    answer = visitor.post(cart.url(server), data={"action": action, "item": item})
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/Cart"
    return answer


def look_at(visitor: httpx2.Client, cart: CartRun, server: int, sku: str) -> None:
    assert visitor.get(cart.url(server, f"/Cart/product/{sku}")).status_code == 200


def session_of(visitor: httpx2.Client, cart: CartRun, server: int) -> dict[str, Any]:
    answer = visitor.get(cart.url(server, "/Cart/session.json"))
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_one_cookie_jar_alternates_between_two_servers_and_finds_one_session(
    cart: CartRun, visitor: httpx2.Client
) -> None:
    skus = ["pot", "mug", "lamp", "jar", "board", "trowel"]
    for turn, sku in enumerate(skus):
        look_at(visitor, cart, turn % 2, sku)
        change(visitor, cart, 1 - turn % 2, "add", sku)
    first, second = session_of(visitor, cart, 0), session_of(visitor, cart, 1)
    assert (first["server"], first["port"]) == (cart.title(0), cart.base)
    assert (second["server"], second["port"]) == (cart.title(1), cart.base + 1)
    for name in ("session", "version", "cart", "history"):
        assert first[name] == second[name]
    assert first["cart"] == dict.fromkeys(skus, 1)
    assert first["history"] == ["trowel", "board", "jar", "lamp", "mug"]
    assert first["served_from"] in {"near-cache", "store"}
    assert 0 < first["bytes_sent"] < first["bytes_whole"] / 5
    assert set(first) == {
        "server", "port", "session", "version", "cart", "history", "served_from", "bytes_sent", "bytes_whole"
    }  # fmt: skip


def test_who_only_reads_gets_no_session_and_no_cookie(cart: CartRun, visitor: httpx2.Client) -> None:
    answer = visitor.get(cart.url(0))
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    told = session_of(visitor, cart, 0)
    assert (told["session"], told["served_from"], told["bytes_sent"]) == (None, "new", 0)


@pytest.mark.parametrize("server", [0, 1])
def test_quantities_go_up_and_down_and_away(cart: CartRun, visitor: httpx2.Client, server: int) -> None:
    for action in ("add", "add", "remove"):
        change(visitor, cart, server, action, "pot")
    change(visitor, cart, server, "add", "mug")
    assert session_of(visitor, cart, server)["cart"] == {"pot": 1, "mug": 1}
    change(visitor, cart, server, "remove", "pot")
    assert session_of(visitor, cart, server)["cart"] == {"mug": 1}
    change(visitor, cart, server, "clear")
    assert session_of(visitor, cart, server)["cart"] == {}


@pytest.mark.parametrize("server", [0, 1])
def test_unknown_things_are_answered_in_the_same_way_by_both_servers(
    cart: CartRun, visitor: httpx2.Client, server: int
) -> None:
    assert visitor.post(cart.url(server), data={"action": "add", "item": "unicorn"}).status_code == 404
    assert visitor.post(cart.url(server), data={"action": "steal", "item": "pot"}).status_code == 400
    assert visitor.get(cart.url(server, "/Cart/product/unicorn")).status_code == 404
    assert visitor.get(cart.url(server, "/Cart/nowhere")).status_code == 404
    assert session_of(visitor, cart, server)["session"] is None


@pytest.mark.parametrize("server", [0, 1])
def test_static_files_are_served_without_a_session(cart: CartRun, visitor: httpx2.Client, server: int) -> None:
    look_at(visitor, cart, server, "pot")
    for name in ("cart.css", "cart.js", "icon.svg"):
        answer = visitor.get(cart.url(server, f"/Cart/static/{name}"))
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
    assert visitor.get(cart.url(server, "/Cart/static/missing.css")).status_code == 404


def test_every_commit_is_a_line_in_the_terminal(cart: CartRun, visitor: httpx2.Client) -> None:
    said = len(cart.lines)
    look_at(visitor, cart, 1, "pot")
    ref = session_of(visitor, cart, 1)["session"]
    change(visitor, cart, 0, "add", "pot")
    assert cart.label(1) in cart.wait_for("~history", after=said)
    line = cart.wait_for("~cart", after=said)
    assert cart.label(0) in line
    assert ref in line
    assert " B of " in line


def test_when_one_server_is_killed_the_other_goes_on_and_it_can_be_started_again(
    cart: CartRun, visitor: httpx2.Client
) -> None:
    change(visitor, cart, 0, "add", "pot")
    before = session_of(visitor, cart, 0)
    said = len(cart.lines)
    os.kill(cart.pid_of(0), signal.SIGKILL)
    assert cart.label(0) in cart.wait_for("is down: killed by SIGKILL", after=said)
    with pytest.raises(httpx2.ConnectError):
        visitor.get(cart.url(0))
    change(visitor, cart, 1, "add", "mug")
    assert session_of(visitor, cart, 1)["session"] == before["session"]

    answer = visitor.post(cart.url(1, "/Cart/restart"), data={"port": str(cart.base)})
    assert answer.headers["location"] == f"/Cart?note=back-{cart.base}"
    after = session_of(visitor, cart, 0)
    assert after["cart"] == {"pot": 1, "mug": 1}
    assert (after["session"], after["port"], after["bytes_sent"]) == (before["session"], cart.base, 0)


def test_a_server_kills_itself_only_if_another_one_can_take_over(cart: CartRun, visitor: httpx2.Client) -> None:
    answer = visitor.post(cart.url(0, "/Cart/kill"))
    moved = answer.headers["location"]
    assert moved == cart.url(1, f"/Cart?note=moved-{cart.base}")
    assert f"{cart.label(0)} was killed and is down" in visitor.get(moved).text
    answer = visitor.post(cart.url(1, "/Cart/kill"))
    assert answer.headers["location"] == "/Cart?note=alone"
    visitor.post(cart.url(1, "/Cart/restart"), data={"port": str(cart.base)})
    assert visitor.get(cart.url(0)).status_code == 200
    assert "was killed" not in visitor.get(moved).text


def test_a_restart_of_a_server_that_is_up_changes_nothing(cart: CartRun, visitor: httpx2.Client) -> None:
    pid = cart.pid_of(0)
    for port in (cart.base, 1, 99_999):
        assert visitor.post(cart.url(1, "/Cart/restart"), data={"port": str(port)}).status_code == 303
    assert cart.pid_of(0) == pid


def test_a_store_that_is_stopped_for_a_while_costs_nothing_but_the_wait(cart: CartRun, visitor: httpx2.Client) -> None:
    """A person gets a page of the shop, which tries again by itself; a program the bare 503."""
    change(visitor, cart, 0, "add", "pot")
    before = session_of(visitor, cart, 0)
    said = len(cart.lines)
    assert visitor.post(cart.url(1, "/Cart/pause-store")).headers["location"] == "/Cart?note=pausing#try"
    cart.wait_for("stands still for 10 s", after=said)
    for server in (0, 1):
        refused = visitor.post(cart.url(server), data={"action": "add", "item": "mug"}, headers={"accept": "text/html"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "set-cookie" not in refused.headers
        assert "the store does not answer" in refused.text
        assert 'http-equiv="refresh" content="2; url=/Cart"' in refused.text
        assert "content-security-policy" in refused.headers
        bare = visitor.post(cart.url(server), data={"action": "add", "item": "mug"})
        assert bare.headers["content-type"].startswith("text/plain")
    cart.wait_for("goes on", after=said)
    after = session_of(visitor, cart, 1)
    for name in ("session", "version", "cart", "history"):
        assert after[name] == before[name]


@pytest.mark.parametrize("server", [0, 1])
def test_the_first_change_shows_that_only_it_was_sent(cart: CartRun, visitor: httpx2.Client, server: int) -> None:
    change(visitor, cart, server, "add", "pot")
    told = session_of(visitor, cart, server)
    assert 0 < told["bytes_sent"] < 50
    assert told["bytes_whole"] > 1000


def test_both_servers_say_the_same_timeouts_after_the_links(cart: CartRun) -> None:
    first = cart.lines.index(next(line for line in cart.lines if "Ctrl-C stops everything" in line))
    assert not any("WARNING" in line or "INFO" in line for line in cart.lines[:first])
    told = [line.partition("in force: ")[2] for line in cart.lines if "in force: " in line]
    assert len(set(told)) == 1
    assert "idle timeout 30m, absolute timeout 24h" in told[0]


def test_when_the_store_is_killed_it_comes_back_with_everything_acknowledged(
    cart: CartRun, visitor: httpx2.Client
) -> None:
    for _ in range(3):
        change(visitor, cart, 0, "add", "pot")
    before = session_of(visitor, cart, 0)
    # The append-only file goes to the disk once a second; the death of the process alone loses nothing that was
    # written, and what was held back because the disk was busy, two seconds at most.
    time.sleep(2)
    pid = cart.store_pid()
    os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + PATIENCE
    while (answer := visitor.get(cart.url(1, "/Cart/session.json"))).status_code != 200:
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
        assert "set-cookie" not in answer.headers
        assert time.monotonic() < until, cart.text
    after = answer.json()
    for name in ("session", "version", "cart", "history"):
        assert after[name] == before[name]
    change(visitor, cart, 0, "add", "pot")
    assert session_of(visitor, cart, 1)["cart"] == {"pot": 4}
    assert cart.store_pid() != pid


def test_two_concurrent_requests_on_two_servers_both_keep_their_changes(cart: CartRun, visitor: httpx2.Client) -> None:
    change(visitor, cart, 0, "add", "pot")
    answer = visitor.post(cart.url(0, "/Cart/two-tabs"))
    assert answer.headers["location"] == "/Cart?note=raced#try"
    page = visitor.get(cart.url(1, "/Cart?note=raced")).text
    assert "Both changes were kept" in page
    assert "Both had read the same version" in page


def test_when_the_stores_supervisor_is_killed_the_servers_keep_the_store_going(
    tmp_path: Path, visitor: httpx2.Client
) -> None:
    run = CartRun.started(tmp_path)
    try:
        change(visitor, run, 0, "add", "pot")
        os.kill(run.store_told("supervisor_pid"), signal.SIGKILL)
        assert "The servers keep the store going" in run.wait_for("wsgessions server is down: killed by SIGKILL")
        until = time.monotonic() + PATIENCE
        while (answer := visitor.get(run.url(1, "/Cart/session.json"))).status_code == 503:
            assert time.monotonic() < until, run.text
        assert answer.json()["cart"] == {"pot": 1}
        assert run.interrupt() == 0
        assert "Traceback" not in run.text
    finally:
        run.destroy()


def test_a_store_that_cannot_start_is_reported_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / ".wsgessions").write_text("not a folder")
    run = CartRun(tmp_path)
    try:
        assert run.wait() == 1
        assert ".wsgessions" in run.wait_for("store  ")
        assert "cart: the store did not start: ended with code 1" in run.lines
        assert "Traceback" not in run.text
    finally:
        run.destroy()


def test_a_store_of_the_visitors_own_is_used_instead(tmp_path: Path, visitor: httpx2.Client) -> None:
    store = f"embedded:{tmp_path / 'own'}"
    run = CartRun.started(tmp_path, "--store", store, servers="starlette,fastapi,fastapi")
    try:
        assert run.wait_for("store  ").endswith(f"embedded:{tmp_path / 'own'}")
        for server in (0, 1, 2):
            change(visitor, run, server, "add", "pot")
        told = session_of(visitor, run, 2)
        assert (told["server"], told["cart"]) == (run.title(2), {"pot": 3})
        assert (tmp_path / "own").is_dir()
        assert not (tmp_path / ".wsgessions").exists()
        assert run.interrupt() == 0
    finally:
        run.destroy()


def test_ctrl_c_stops_the_servers_then_the_store_and_leaves_nothing_behind(tmp_path: Path) -> None:
    run = CartRun.started(tmp_path)
    try:
        pids = [run.pid_of(0), run.pid_of(1), run.store_pid()]
        assert run.interrupt() == 0
        assert run.lines[-1] == "Stopped."
        assert not [pid for pid in pids if is_running(pid)]
        assert "Traceback" not in run.text
    finally:
        run.destroy()


def test_the_session_outlives_the_whole_sample(tmp_path: Path, visitor: httpx2.Client) -> None:
    run = CartRun.started(tmp_path)
    try:
        change(visitor, run, 0, "add", "pot")
        before = session_of(visitor, run, 1)
        assert run.interrupt() == 0
    finally:
        run.destroy()
    again = CartRun.started(tmp_path)
    try:
        after = session_of(visitor, again, 0)
        assert (after["session"], after["cart"]) == (before["session"], {"pot": 1})
    finally:
        again.destroy()


def test_when_the_supervisor_is_killed_its_children_end_too(tmp_path: Path) -> None:
    run = CartRun.started(tmp_path)
    try:
        pids = [run.pid_of(0), run.pid_of(1), run.store_pid()]
        run.process.kill()
        until = time.monotonic() + PATIENCE
        while any(is_running(pid) for pid in pids):
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        run.destroy()


def test_ctrl_c_while_starting_stops_what_has_started(tmp_path: Path) -> None:
    run = CartRun(tmp_path)
    try:
        run.wait_for("store  ")
        assert run.interrupt() == 0
        assert run.lines[-1] == "Stopped."
        for port in (run.base, run.base + 1, run.base + 429):
            run.wait_until_up(port, up=False)
    finally:
        run.destroy()


def test_a_taken_port_is_reported_before_anything_is_started(tmp_path: Path) -> None:
    base = free_port_base()
    with socket.create_server(("127.0.0.1", base + 1)):
        run = CartRun(tmp_path, "--port-base", str(base))
        assert run.wait() == 1
        run.destroy()
    assert run.lines[0] == f"cart: port {base + 1} is taken by pid {os.getpid()} (python)" or "pid" in run.lines[0]
    assert "--port-base" in run.lines[-1]
    assert not (tmp_path / ".wsgessions").exists()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
