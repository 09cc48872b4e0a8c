"""What ``wsgessions cart`` makes of its options."""

from __future__ import annotations

import socket

import pytest

from tests.samples.cart_run import free_port_base
from wsgessions_cart.plan import Plan, Unfit
from wsgessions_cart.run import run


def test_by_default_there_are_two_servers_and_a_store() -> None:
    plan = Plan.of("fastapi,django", None, 9081)
    assert [place.label for place in plan.places] == ["FastAPI :9081", "Django :9082"]
    assert plan.ports == (9081, 9082, 9510)
    assert plan.store_url == "embedded:.wsgessions"


def test_a_port_base_moves_all_ports_alike() -> None:
    assert Plan.of("fastapi,starlette,fastapi", None, 9181).ports == (9181, 9182, 9183, 9610)


def test_a_store_of_the_visitors_own_needs_no_port_and_is_shown_without_its_password() -> None:
    plan = Plan.of("fastapi", "redis://someone:secret@db.example:6379/2", 9081)
    assert plan.ports == (9081,)
    assert plan.shown_store == "redis://***@db.example:6379/2"
    assert plan.environment(None, {})["WSGESSIONS_STORE_URL"] == "redis://someone:secret@db.example:6379/2"


@pytest.mark.parametrize("servers", ["", "fastapi,", "flask", "fastapi,rails"])
def test_an_unknown_server_is_refused_with_the_known_ones(servers: str) -> None:
    with pytest.raises(Unfit, match="there are fastapi, django, starlette, litestar, quart"):
        Plan.of(servers, None, 9081)


def test_a_store_in_the_memory_of_one_process_is_refused() -> None:
    with pytest.raises(Unfit, match="one process"):
        Plan.of("fastapi,starlette", "memory:", 9081)


def test_a_taken_port_is_named_with_its_holder_and_other_ports_are_offered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    base = free_port_base()
    with socket.create_server(("127.0.0.1", base + 1)):
        assert run("fastapi,starlette", None, base) == 1
    said = capsys.readouterr().err
    assert f"port {base + 1} is taken by pid " in said
    assert "--port-base " in said


def test_what_cannot_be_run_is_said_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("flask", None, 9081) == 2
    assert "no server is called 'flask'" in capsys.readouterr().err
