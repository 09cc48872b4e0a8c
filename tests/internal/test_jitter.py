"""Jitter and samples are drawn apart from the application's own random numbers, and differently in each worker."""

from __future__ import annotations

import random
import subprocess
import sys

from tests.asgi_driver import Browser, answering
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions import Session, SessionManager, SessionMiddleware

__all__ = ["shared_server"]

FORKING = """
import os
from wsgessions.internal.jitter import chance

for _ in range(3):
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, str(chance.random()).encode())
        os._exit(0)
    print(os.read(reading, 100).decode())
"""


async def test_an_application_that_seeds_python_s_generator_draws_what_it_would_draw_without_us(
    shared_server: RawServer,
) -> None:
    def count(session: Session) -> str:
        return str(session.setdefault("seen", 1))

    manager = SessionManager(store_url=shared_server.url, namespace="seeded")
    app, browser = SessionMiddleware(answering(count), manager=manager), Browser()
    try:
        await browser.request(app)
        before = random.getstate()
        for _ in range(20):
            await browser.request(app)
        assert manager.statistics.recalled >= 19
        assert random.getstate() == before
    finally:
        await manager.close()


def test_workers_that_were_forked_from_one_process_draw_different_numbers() -> None:
    run = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, check=True)
    assert len(set(run.stdout.split())) == 3
