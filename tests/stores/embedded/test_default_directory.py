"""The default store is one per project, outside of what a reloader watches."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgessions import SessionManager
from wsgessions.stores.embedded.default_directory import default_directory


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a package in it, where the working directory is."""
    root = tmp_path / "my shop"
    (root / "src" / "shop").mkdir(parents=True)
    (root / "pyproject.toml").touch()
    monkeypatch.chdir(root)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return root


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


async def test_a_store_without_a_directory_leaves_the_project_as_it_is(project: Path, tmp_path: Path) -> None:
    """A reloader would restart the application with each file that the store writes."""
    before = files_of(project)
    manager = SessionManager(store_url="embedded:")
    await manager.start()
    try:
        async with manager.open(None) as session:
            session["a"] = 1
    finally:
        await manager.close()
    assert files_of(project) == before
    store = default_directory()
    assert store.parent == tmp_path / "state" / "wsgessions"
    assert store / "data" in files_of(store)


def test_all_directories_of_a_project_have_the_same_store(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = default_directory()
    assert here.name.startswith("my_shop-")
    for folder in ("src", "src/shop"):
        monkeypatch.chdir(project / folder)
        assert default_directory() == here


def test_two_projects_of_one_name_have_two_stores(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, other = default_directory(), tmp_path / "elsewhere" / "my shop"
    other.mkdir(parents=True)
    monkeypatch.chdir(other)
    assert default_directory() != here


def test_a_django_project_is_found_by_its_manage_py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "manage.py").touch()
    monkeypatch.chdir(tmp_path)
    here = default_directory()
    monkeypatch.chdir(tmp_path / "app")
    assert default_directory() == here


def test_the_home_directory_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a git repository, of settings."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.chdir(tmp_path / "work")
    assert default_directory().name.startswith("work-")


def test_a_directory_that_a_project_has_for_the_store_is_taken(project: Path) -> None:
    (project / ".wsgessions").mkdir()
    assert default_directory() == project / ".wsgessions"


def test_a_state_directory_that_is_not_absolute_does_not_count(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert default_directory().parent == tmp_path / ".local" / "state" / "wsgessions"
