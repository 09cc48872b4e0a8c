"""The lines of the production page that start servers, each in production with two processes."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import httpx2
import pytest

from tests.deployment.files import DEPLOYMENT
from tests.deployment.running import cookies_of, running
from tests.docs.page import blocks
from tests.servers.ports import held_port
from tests.stores.embedded.watched import PATIENCE, ROOT, Place, wait_until

PAGE = ROOT / "docs" / "how-to" / "production.md"
LINES = [line for block in blocks(PAGE) if block.language == "sh" for line in block.code.splitlines()]
STARTED = r"Started server process|Booting worker"


@pytest.mark.parametrize("line", [*LINES, *(f"{line} --preload" for line in LINES if line.startswith("gunicorn"))])
def test_its_two_processes_serve_one_session(line: str, tmp_path: Path) -> None:
    shutil.copy(DEPLOYMENT / "shop.py", tmp_path)
    place = Place(tmp_path / "store")
    settings = {"WSGESSIONS_ENV": "production", "WSGESSIONS_STORE_URL": f"embedded:{place.path}"}
    try:
        with held_port() as port:
            command = shlex.split(line.replace("8000", str(port)))
            with running(command, port, tmp_path, **settings):
                log = tmp_path / f"log-{port}"
                wait_until(lambda: len(re.findall(STARTED, log.read_text())) == 2, "two processes")
                address = f"http://127.0.0.1:{port}"
                # gunicorn's workers import the application after they have said that they start
                cookies = cookies_of(httpx2.post(f"{address}/cart/tea", timeout=PATIENCE, trust_env=False))
                for _ in range(8):  # each by a connection of its own, which either process may take
                    answer = httpx2.get(f"{address}/cart", headers=cookies, timeout=PATIENCE, trust_env=False)
                    assert answer.json()["cart"] == ["tea"]
            assert "Traceback" not in log.read_text()
    finally:
        place.end_everything()
