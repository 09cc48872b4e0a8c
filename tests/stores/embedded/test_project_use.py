"""Two running processes of one project with two embedded stores are told; what has ended is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from wsgessions import SessionManager
from wsgessions.stores.embedded.project_use import ProjectUse

HOLDS = """
import sys, time
from pathlib import Path
from wsgessions.stores.embedded import project_use
project_use.tempfile.tempdir = "/nowhere"
project_use.ProjectUse(Path(sys.argv[1]), namespace="wsg", context_path="/").begin()
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project where the working directory is. No directory of it is one for temporary files, as it is in life."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "pyproject.toml").touch()
    monkeypatch.chdir(root)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    return root


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    return lambda: [each.getMessage() for each in caplog.records if getattr(each, "event", "") == "two_directories"]


def use_of(directory: str, *, namespace: str = "wsg", context_path: str = "/") -> ProjectUse:
    return ProjectUse(Path(directory), namespace=namespace, context_path=context_path)


def test_the_second_directory_of_a_project_is_told_with_both_names(
    project: Path, told: Callable[[], list[str]]
) -> None:
    first, second = use_of("a"), use_of("b")
    first.begin()
    assert not told()
    for _ in range(2):
        second.begin()
    (line,) = told()
    assert f"of the project {project} uses the store in {project}/a, this one that in {project}/b" in line
    for use in (first, second):
        use.end()


def test_processes_with_one_directory_are_many_users_of_one_store(told: Callable[[], list[str]]) -> None:
    uses = [use_of(name) for name in ("a", "./a", os.path.abspath("a"))]  # noqa: PTH100 - text, as settings have it
    for use in uses:
        use.begin()
    assert not told()
    uses[0].end()
    other = use_of("b")
    other.begin()
    assert len(told()) == 1
    for use in (*uses, other):
        use.end()


@pytest.mark.parametrize("apart", [{"namespace": "other"}, {"context_path": "/other"}])
def test_applications_that_share_no_sessions_anyway_may_have_a_store_each(
    told: Callable[[], list[str]], apart: dict[str, str]
) -> None:
    first, second = use_of("a"), use_of("b", **apart)
    for use in (first, second):
        use.begin()
    assert not told()
    for use in (first, second):
        use.end()


def test_a_directory_that_is_used_no_more_is_forgotten(tmp_path: Path, told: Callable[[], list[str]]) -> None:
    first, second = use_of("a"), use_of("b")
    first.begin()
    first.end()
    second.begin()
    assert not told()
    second.end()
    assert len([file for file in (tmp_path / "state").rglob("*") if file.is_file()]) == 1


def test_a_process_counts_until_its_end_however_it_ends(told: Callable[[], list[str]]) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS, "a"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        lives = use_of("b")
        lives.begin()
        lives.end()
        assert len(told()) == 1
        process.send_signal(signal.SIGKILL)
    after = use_of("b")
    after.begin()
    after.end()
    assert len(told()) == 1


def test_directories_for_temporary_files_do_not_count(
    project: Path, told: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the stores of a project's tests, beside a server that runs."""
    monkeypatch.setattr(tempfile, "tempdir", str(project / "tmp"))
    uses = [use_of("a"), use_of("tmp/of-a-test")]
    for use in uses:
        use.begin()
    assert not told()
    for use in uses:
        use.end()


def test_without_a_project_nothing_is_noted(
    project: Path, tmp_path: Path, told: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services that run in / belong to no common project."""
    (project / "pyproject.toml").unlink()
    monkeypatch.setenv("HOME", str(tmp_path))
    for use in (use_of("a"), use_of("b")):
        use.begin()
    assert not told()
    assert not (tmp_path / "state").exists()


def test_a_state_directory_that_cannot_be_written_costs_only_the_warning(
    tmp_path: Path, told: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").touch()
    caplog.set_level("INFO", logger="wsgessions.embedded")
    use_of("a").begin()
    (line,) = [each for each in caplog.records if each.name == "wsgessions.embedded"]
    assert "could not be noted" in line.getMessage()


async def test_an_application_notes_its_store_while_it_runs(project: Path, told: Callable[[], list[str]]) -> None:
    manager = SessionManager(store_url="embedded:./a")
    other = use_of("b")
    await manager.start()
    try:
        other.begin()
    finally:
        other.end()
        await manager.close()
    assert len(told()) == 1
    other.begin()
    other.end()
    assert len(told()) == 1
