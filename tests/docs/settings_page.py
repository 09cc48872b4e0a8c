"""Makes the tables of docs/reference/settings.md out of the settings (S-111): ``python -m tests.docs.settings_page``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from wsgessions.settings import describe_settings
from wsgessions.settings.groups import GROUPS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "settings.md"
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"


def tables() -> str:
    """The settings in Markdown, a heading and a table for each group."""
    return "\n".join(line for group in GROUPS for line in _table(group.title, group.purpose))


def _table(title: str, purpose: str) -> Iterator[str]:
    yield from (f"### {title}", "", purpose, "", "| Setting | Default | Meaning |", "|---|---|---|")
    for each in describe_settings():
        if each.group == title:
            yield f"| `{each.name}` | {escaped(each.default)} | {escaped(each.meaning)} |"
    yield ""


def escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def with_tables(page: str) -> str:
    """The page with the tables as they should be."""
    return re.sub(f"(?<={BEGIN}).*(?={END})", lambda _: tables(), page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
