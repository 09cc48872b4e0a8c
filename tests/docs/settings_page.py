"""Makes the lists of docs/reference/settings.md out of the settings (S-111): ``python -m tests.docs.settings_page``."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from wsgessions.settings import describe_settings
from wsgessions.settings.groups import GROUPS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "settings.md"
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"


def lists() -> str:
    """The settings in Markdown, a heading and a list for each group."""
    return "\n".join(line for group in GROUPS for line in _list(group.title, group.purpose))


def _list(title: str, purpose: str) -> Iterator[str]:
    yield from (f"### {title}", "", purpose, "")
    for each in describe_settings():
        if each.group == title:
            default = each.default if " " in each.default else f"`{each.default}`"
            yield from (f"**`{each.name}`** &nbsp; default: {default}", *wrapped(each.meaning), "")


def wrapped(text: str) -> list[str]:
    """A definition of Markdown, in lines as long as those of the page."""
    return textwrap.wrap(text, 120, initial_indent=":   ", subsequent_indent=" " * 4, break_on_hyphens=False)


def with_lists(page: str) -> str:
    """The page with the lists as they should be."""
    return re.sub(f"(?<={BEGIN}).*(?={END})", lambda _: lists(), page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(with_lists(PAGE.read_text()))
