"""The adapter suite by itself: what an adapter's author writes, and what the suite finds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TESTS = """
from tests.adapters.bare_app import app
from wsgessions import Session, SessionMiddleware
from wsgessions.testing import AdapterSuite


class TestGood(AdapterSuite):
    def get_app(self, manager):
        return SessionMiddleware(app, manager=manager)


class TestForgetful(AdapterSuite):
    # What an application sees if its adapter makes a session and forgets it.
    def get_app(self, manager):
        async def forgetful(scope, receive, send):
            await app({**scope, "session": Session()}, receive, send)
        return forgetful
"""


@pytest.mark.parametrize(("name", "outcome"), [("TestGood", "1 passed"), ("TestForgetful", "1 failed")])
def test_five_lines_run_it_and_its_failures_speak(tmp_path: Path, name: str, outcome: str) -> None:
    (tmp_path / "test_mine.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    case = f"{tmp_path}/test_mine.py::{name}::test_what_one_request_puts_in_the_next_one_finds"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", case],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert outcome in done.stdout, done.stdout + done.stderr
    if name == "TestForgetful":
        assert "assert {} == {'color': 'color'}" in done.stdout
