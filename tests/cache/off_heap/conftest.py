"""Machines on which off-heap tiers are opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cache.off_heap.states import Clock, Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path, Clock())
