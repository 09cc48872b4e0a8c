"""Every rule that is cited anywhere is explained in docs/design/."""

from __future__ import annotations

import re

from tests.architecture.sources import CORE, ROOT, SHIPPED, sources

RULE_ID = re.compile(r"(?<![\w-])([CDEFKRST]-\d{1,3}[a-d]?)(?!\w)")


def defined_rules() -> set[str]:
    """The ids that docs/design/ explains: each stands in bold where it is explained."""
    pages = (ROOT / "docs" / "design").glob("*.md")
    return {found for page in pages for found in re.findall(r"\*\*([CDEFKRST]-\d{1,3}[a-d]?)\*\*", page.read_text())}


def test_every_rule_that_is_cited_is_explained_in_the_design_pages() -> None:
    defined = defined_rules()
    pages = [path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "design"]
    cited: dict[str, list[str]] = {}
    for path in (*sources(*SHIPPED, ROOT / "tests", ROOT / "bench"), *CORE.rglob("*.lua"), *pages, ROOT / "README.md"):
        for rule in RULE_ID.findall(path.read_text()):
            cited.setdefault(rule, []).append(path.relative_to(ROOT).as_posix())
    # K-03b is case b of K-03.
    unexplained = {rule for rule in cited if rule not in defined and rule.rstrip("abcd") not in defined}
    assert {rule: sorted(set(cited[rule])) for rule in sorted(unexplained)} == {}
