"""Makes the table of docs/reference/settings.md out of the settings (S-111): ``python -m tests.docs.settings_page``."""

from __future__ import annotations

import re
from pathlib import Path

from wsgessions.settings import describe_settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "settings.md"
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"


def table() -> str:
    """The settings in Markdown, in the order of the documentation."""
    rows = ["| Setting | Default | Meaning |", "|---|---|---|"]
    for setting in describe_settings():
        guide = f"<br>guide: {', '.join(f'`{name}`' for name in setting.guide_names)}" if setting.guide_names else ""
        rows.append(f"| `{setting.name}`{guide} | {escaped(setting.default)} | {escaped(setting.meaning)} |")
    return "\n".join(rows) + "\n"


def escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def with_table(page: str) -> str:
    """The page with the table as it should be."""
    return re.sub(f"(?<={BEGIN}).*(?={END})", lambda _: table(), page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
