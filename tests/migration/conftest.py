"""Each test sees its own log lines, which are held back where they repeat."""

from __future__ import annotations

import pytest

from wsgessions.migration import importer, in_redis, middleware


@pytest.fixture(autouse=True)
def _nothing_logged_yet() -> None:
    for module in (importer, in_redis, middleware):
        module._log._lines.clear()
