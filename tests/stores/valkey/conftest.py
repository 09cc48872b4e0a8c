"""Servers for the tests of `wsgessions.stores.valkey`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.valkey.raw_server import RawServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RawServer]:
    """A running server of this test's own."""
    server = RawServer(tmp_path)
    server.start()
    yield server
    server.kill()
