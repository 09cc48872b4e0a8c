"""Every page where only its own `pip install` lines were followed, with the wheel of dist/ and no code of this tree.

`./dev docs --installed` builds the wheel and runs this file, which no other run collects: it makes an environment for
each set of lines that the pages have.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from devtools.console import STATE
from devtools.environment import Environment
from tests.deployment.files import DEPLOYMENT, server_command
from tests.docs.page import Reading, blocks, requirements
from tests.docs.test_snippets import PAGES, ROOT, RUN, has_programs, name_of
from tests.docs.test_transcripts import WITH_SERVERS, Shell, replay, title_of


def of_the_reader(state: Path) -> dict[str, str]:
    """The environment of a reader, who has set nothing for Python, for pytest or for us."""
    ours = ("PYTHON", "PYTEST", "WSGESSIONS_", "COVERAGE", "COV_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "XDG_STATE_HOME": str(state)}


def environment_with(names: tuple[str, ...]) -> Environment:
    """The environment in which these were installed, made when it is first asked for."""
    (wheel,) = (ROOT / "dist").glob("*.whl")
    environment = Environment(STATE / "pages" / digest(names))
    environment.take(wheel, *names)
    return environment


def wanted(page: Path) -> tuple[str, ...]:
    """What a reader of the page has installed; of one without an install line, the library alone."""
    return requirements(page) or ("wsgessions",)


def digest(names: tuple[str, ...]) -> str:
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]


def case(value: Path | Reading, page: Path, title: str) -> Any:
    """One worker runs the pages that share an environment, so that they do not wait for one another to make it."""
    return pytest.param(value, marks=pytest.mark.xdist_group(digest(wanted(page))), id=title)


@pytest.mark.parametrize("page", [case(page, page, name_of(page)) for page in PAGES if has_programs(page)])
def test_the_files_of_a_page_run_as_installed(page: Path, tmp_path: Path) -> None:
    python = environment_with(wanted(page)).python
    (folder := tmp_path / "page").mkdir()
    done = subprocess.run(
        [python, "-P", RUN, page],
        cwd=folder,
        env=of_the_reader(tmp_path / "state"),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("reading", [case(reading, reading.page, title_of(reading)) for reading in WITH_SERVERS])
def test_a_transcript_is_what_happens_as_installed(reading: Reading, tmp_path: Path) -> None:
    programs = environment_with(wanted(reading.page)).bin
    with closing(Shell(tmp_path, programs, of_the_reader(tmp_path / "state"))) as shell:
        replay(reading, shell)


def test_the_image_has_installed_what_its_command_and_its_application_need(tmp_path: Path) -> None:
    environment = environment_with(tuple((DEPLOYMENT / "requirements.txt").read_text().split()))
    assert (environment.bin / server_command()[0]).is_file()
    subprocess.run(
        [environment.python, DEPLOYMENT / "shop.py"], cwd=tmp_path, env=of_the_reader(tmp_path / "state"), check=True
    )


def test_the_production_page_installs_the_servers_that_it_starts() -> None:
    page = ROOT / "docs" / "how-to" / "production.md"
    programs_of_the_page = {
        line.split()[0] for block in blocks(page) if block.language == "sh" for line in block.code.splitlines()
    }
    environment = environment_with(wanted(page))
    assert {name for name in programs_of_the_page if not (environment.bin / name).is_file()} == set()
    assert len(programs_of_the_page) == 2
