"""Every snippet of the documentation does what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs import coverage_page, settings_page
from tests.docs.page import blocks, programs, readings, requirements
from wsgessions import errors
from wsgessions.settings.names import GUIDE_NAMES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted(DOCS.rglob("*.md"))]
RUN = ROOT / "tests" / "docs" / "page.py"


def has_programs(page: Path) -> bool:
    return any(any(programs(reading)) for reading in readings(page))


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def environment(state: Path) -> dict[str, str]:
    """Ours without its settings, since a page says itself what it needs, and with a state directory for the page."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WSGESSIONS_")}
    folders = (ROOT, ROOT / "adapters", ROOT / "samples" / "cart")
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(map(str, filter(Path.exists, folders))),
        "PYTHONWARNINGS": "error",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # this environment has more of them than the page's
        "PYTEST_PLUGINS": "wsgessions.testing.fixtures.pytest_plugin,pytest_asyncio.plugin",
        "XDG_STATE_HOME": str(state),
        "WSGESSIONS_NONSTOP_TIMEOUT": "20s",  # the machine is as busy as all these tests make it
    }


def pages_with_snippets() -> list[Any]:
    """A server that a page starts itself looks for a free port from a certain one on, and listens only later.

    So those pages run one after another.
    """
    snippets = {page: [block.code for block in blocks(page) if block.language == "python"] for page in PAGES}
    one_by_one = pytest.mark.xdist_group("servers of pages")
    return [
        pytest.param(page, marks=[one_by_one] if "ValkeyServer(" in "".join(codes) else [], id=name_of(page))
        for page, codes in snippets.items()
        if codes
    ]


@pytest.mark.parametrize("page", pages_with_snippets())
def test_the_snippets_of_a_page_run(page: Path, tmp_path: Path) -> None:
    (folder := tmp_path / "page").mkdir()
    done = subprocess.run(
        [sys.executable, RUN, page],
        cwd=folder,
        env=environment(tmp_path / "state"),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_page_to_follow_begins_with_its_install_line() -> None:
    to_follow = [*DOCS.glob("how-to/*.md"), *DOCS.glob("tutorial/*.md"), DOCS / "index.md", ROOT / "README.md"]
    assert [name_of(page) for page in to_follow if has_programs(page) and not requirements(page)] == []


def test_a_page_to_follow_says_what_to_read_next() -> None:
    to_follow = [*DOCS.glob("how-to/*.md"), *DOCS.glob("tutorial/*.md")]
    assert [name_of(page) for page in to_follow if "\n\n**Next:** " not in page.read_text()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_only_a_page_about_tests_or_refusals_leads_to_a_store_in_memory(page: Path) -> None:
    """With any other, the reader's second server would not know the visitors of the first."""
    in_memory = [block.line for block in blocks(page) if "memory:" in block.code]
    assert not in_memory or page.name in {"testing.md", "production.md"}


def test_the_page_of_tabs_is_read_once_with_each(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("""
```python title="common.py"
both = True
```

=== "One"

    ```python title="app.py"
    from common import both
    ```

=== "Two"

    Text.

    ```python title="app.py"
    import common
    ```

```python title="last.py"
```
""")
    first, second = readings(page)
    assert (first.tab, second.tab) == ("One", "Two")
    assert [block.code for block in second.blocks] == ["both = True\n", "import common\n", "\n"]
    assert list(programs(first)) == ["app.py", "last.py"]


def all_errors(root: type[errors.WsgessionsError] = errors.WsgessionsError) -> list[type[errors.WsgessionsError]]:
    return [kind for child in root.__subclasses__() for kind in (child, *all_errors(child))]


@pytest.mark.parametrize("error", all_errors(), ids=lambda error: error.__name__)
def test_the_page_that_an_error_names_exists(error: type[errors.WsgessionsError]) -> None:
    assert (DOCS / f"{error.docs.rstrip('/')}.md").is_file()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of_a_page_lead_to_pages_that_exist(page: Path) -> None:
    """mkdocs sees to the links inside docs/; this one sees to those of the README too, without mkdocs."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_no_page_is_missing_from_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    assert [page for page in DOCS.rglob("*.md") if page.relative_to(DOCS).as_posix() not in navigation] == []


def test_the_settings_page_has_every_setting_with_its_default() -> None:
    """S-111. `python -m tests.docs.settings_page` writes the lists anew."""
    page = settings_page.PAGE.read_text()
    assert page == settings_page.with_lists(page)


def test_the_guide_has_a_page_with_each_of_its_names_for_a_setting() -> None:
    page = (DOCS / "explanation" / "terracotta.md").read_text()
    rows = re.findall(r"^\| (`[^|]+`) \| `(\w+)` \|", page, re.MULTILINE)
    named = {name: setting for names, setting in rows for name in re.findall(r"`([\w-]+)`", names)}
    assert {name: guide.setting for name, guide in GUIDE_NAMES.items()}.items() <= named.items()


def test_the_page_of_the_rules_names_the_tests_that_cite_them() -> None:
    """`python -m tests.docs.coverage_page` writes the table anew."""
    page = coverage_page.PAGE.read_text()
    assert page == coverage_page.with_table(page)


def test_a_citation_belongs_to_its_test_its_class_or_its_heading() -> None:
    text = '''"""S-01 to S-03, S-04."""
# -- a part (S-05) ---
def helper(): "S-06"
@mark("S-07")
def test_one():
    """S-08"""
class TestMore:
    """S-09"""
    def test_two(self): ...  # S-10
# -- another ---
def test_three(): ...
'''
    assert sorted(coverage_page.cited_in(text)) == [
        *[("S-04", ""), ("S-05", "test_one"), ("S-05", "test_two"), ("S-06", ""), ("S-07", "test_one")],
        *[("S-08", "test_one"), ("S-09", "test_two"), ("S-10", "test_two")],
    ]
