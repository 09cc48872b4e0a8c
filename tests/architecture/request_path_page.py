"""Writes the functions that a hot read runs into the page on the path of a request, from the trace of a real one.

``python -m tests.architecture.request_path_page``; `test_request_path` compares.
"""

from __future__ import annotations

import re

from tests.architecture.frames import Trace
from tests.architecture.request_path import traces
from tests.architecture.sources import ROOT

PAGE = ROOT / "docs" / "explanation" / "request-path.md"
BEGIN, END = "<!-- the trace begins -->", "<!-- the trace ends -->"


def with_trace(page: str, hot_read: Trace) -> str:
    """The page with this trace."""
    shown = f"{BEGIN}\n```text\n{hot_read}\n```\n{END}"
    return re.sub(f"{BEGIN}.*{END}", lambda _: shown, page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(with_trace(PAGE.read_text(), traces()["hot read"]))
