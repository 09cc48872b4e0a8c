"""The page of log events says what the code logs, and nothing else."""

from __future__ import annotations

import re

from tests.docs.log_events import ROOT, Event, events_in_code

_ROW = re.compile(r"^\| `(wsgessions\.\w+)` \| ([A-Z a-z]+) \| `(\w+)` \| \S.*\|$", re.MULTILINE)


def test_the_page_of_log_events_lists_each_event_of_the_code() -> None:
    page = (ROOT / "docs" / "reference" / "log-events.md").read_text(encoding="utf-8")
    rows = [Event(*found) for found in _ROW.findall(page)]
    assert rows == sorted(set(rows))
    assert set(rows) == events_in_code()
