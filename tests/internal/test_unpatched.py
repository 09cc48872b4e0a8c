"""Processes in which gevent has replaced parts of the standard library."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.stores.embedded.watched import ROOT

PATCHES = {
    "everything": "from gevent import monkey; monkey.patch_all()",
    "all but threads": "from gevent import monkey; monkey.patch_all(thread=False)",
    "sockets": "from gevent import monkey; monkey.patch_socket()",
}
MADE = "from wsgessions import SessionManager, errors"
USED = """
async def use(manager):
    async with manager.open() as session:
        session['color'] = 'red'
    async with manager.open(session.id) as session:
        print(session['color'])
"""


def run_program(*lines: str) -> str:
    """What a program prints, and what it logs."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "\n".join(lines)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.stdout + ran.stderr


@pytest.mark.parametrize("patched", PATCHES)
@pytest.mark.parametrize("url", ["embedded:", "valkey://127.0.0.1:1"])
def test_the_manager_is_refused_when_it_is_made(patched: str, url: str) -> None:
    """Some requests of such a process worked, others failed or waited until their deadline."""
    told = run_program(PATCHES[patched], MADE, f"SessionManager(store_url={url!r})")
    assert "gevent has replaced" in told
    assert "gthread" in told


def test_what_was_replaced_is_told() -> None:
    assert "has replaced sockets in" in run_program(
        PATCHES["sockets"], MADE, "SessionManager(store_url='valkey://127.0.0.1:1')"
    )


def test_a_library_that_has_replaced_nothing_is_no_matter() -> None:
    assert run_program("import gevent.monkey", MADE, "SessionManager(store_url='valkey://127.0.0.1:1')") == ""


def test_a_store_in_memory_needs_no_connection() -> None:
    told = run_program(
        PATCHES["everything"], "import asyncio", MADE, USED, "asyncio.run(use(SessionManager(store_url='memory:')))"
    )
    assert "red" in told.splitlines()


def test_patches_after_the_manager_was_made_are_refused_at_the_first_request() -> None:
    """As with ``gunicorn --preload``, where the worker patches after the fork; and the log says so."""
    told = run_program(
        "import asyncio",
        MADE,
        USED,
        "manager = SessionManager(store_url='valkey://127.0.0.1:1')",
        PATCHES["everything"],
        "try:",
        "    asyncio.run(use(manager))",
        "except errors.ConfigError:",
        "    print('refused')",
    )
    assert "refused" in told
    assert "wsgessions.link: " in told
    assert "gevent has replaced threads, sockets, processes" in told
