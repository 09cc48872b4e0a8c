"""`./dev build`: what it does without a network."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from devtools.building import unpack


def as_in_3_11_2(
    archive: tarfile.TarFile,
    path: str | Path = ".",
    members: Iterable[tarfile.TarInfo] | None = None,
    *,
    numeric_owner: bool = False,
) -> None:
    """`TarFile.extractall` of Debian 12's Python, which has no argument `filter`."""
    for member in archive if members is None else members:
        archive.extract(member, str(path), numeric_owner=numeric_owner)


def test_a_python_without_filters_unpacks_the_sdist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]")
    sdist = tmp_path / "shop.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(tmp_path / "pyproject.toml", "shop-1/pyproject.toml")
    monkeypatch.setattr(tarfile.TarFile, "extractall", as_in_3_11_2)
    monkeypatch.delattr(tarfile, "data_filter")
    unpack(sdist, tmp_path / "source")
    assert (tmp_path / "source" / "shop-1" / "pyproject.toml").read_text() == "[project]"


def test_a_python_with_filters_refuses_a_member_that_leaves_the_folder(tmp_path: Path) -> None:
    sdist = tmp_path / "shop.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../outside"))
    with pytest.raises(tarfile.OutsideDestinationError):
        unpack(sdist, tmp_path / "source")
