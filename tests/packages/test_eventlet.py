"""Processes in which eventlet has replaced parts of the standard library; those with gevent are in `tests.internal`."""

from __future__ import annotations

import pytest

from tests.internal.test_unpatched import MADE, run_program


@pytest.mark.parametrize("kept", ["", "thread=False"], ids=["everything", "all but threads"])
@pytest.mark.parametrize("url", ["embedded:", "valkey://127.0.0.1:1"])
def test_the_manager_is_refused_when_it_is_made(kept: str, url: str) -> None:
    patched = f"import eventlet; eventlet.monkey_patch({kept})"
    told = run_program(patched, MADE, f"SessionManager(store_url={url!r})")
    assert "eventlet has replaced" in told
    assert "gthread" in told


def test_eventlet_alone_is_no_matter() -> None:
    assert run_program("import eventlet", MADE, "SessionManager(store_url='valkey://127.0.0.1:1')") == ""
