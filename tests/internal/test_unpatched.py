"""Processes in which gevent or eventlet has replaced parts of the standard library."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.stores.embedded.watched import ROOT

PATCHES = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "gevent without threads": "from gevent import monkey; monkey.patch_all(thread=False)",
    "gevent, sockets alone": "from gevent import monkey; monkey.patch_socket()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
    "eventlet without threads": "import eventlet; eventlet.monkey_patch(thread=False)",
}
MADE = "from wsgessions import SessionManager, errors"
USED = """
async def use(manager):
    async with manager.open() as session:
        session['color'] = 'red'
    async with manager.open(session.id) as session:
        print(session['color'])
"""


def run(*lines: str) -> str:
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
    told = run(PATCHES[patched], MADE, f"SessionManager(store_url={url!r})")
    assert f"{patched.split(maxsplit=1)[0].strip(',')} has replaced" in told
    assert "gthread" in told


def test_what_was_replaced_is_told() -> None:
    assert "has replaced sockets in" in run(
        PATCHES["gevent, sockets alone"], MADE, "SessionManager(store_url='valkey://127.0.0.1:1')"
    )


@pytest.mark.parametrize("imported", ["import gevent.monkey", "import eventlet"])
def test_a_library_that_has_replaced_nothing_is_no_matter(imported: str) -> None:
    assert run(imported, MADE, "SessionManager(store_url='valkey://127.0.0.1:1')") == ""


def test_a_store_in_memory_needs_no_connection() -> None:
    told = run(PATCHES["gevent"], "import asyncio", MADE, USED, "asyncio.run(use(SessionManager(store_url='memory:')))")
    assert "red" in told.splitlines()


def test_patches_after_the_manager_was_made_are_refused_at_the_first_request() -> None:
    """As with ``gunicorn --preload``, where the worker patches after the fork; and the log says so."""
    told = run(
        "import asyncio",
        MADE,
        USED,
        "manager = SessionManager(store_url='valkey://127.0.0.1:1')",
        PATCHES["gevent"],
        "try:",
        "    asyncio.run(use(manager))",
        "except errors.ConfigError:",
        "    print('refused')",
    )
    assert "refused" in told
    assert "wsgessions.link: " in told
    assert "gevent has replaced threads, sockets, processes" in told
