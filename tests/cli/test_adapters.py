"""``wsgessions adapters`` tells what is registered, and whether the installed framework fits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

GROUP = "wsgessions.adapters"
ROOT = Path(__file__).parents[2]

ADAPTERS = """
from wsgessions.framework_versions import FrameworkVersions

class Adapter:
    def __init__(self, settings=None, *, manager=None, **overrides): ...

    @classmethod
    def fits(cls, app):
        return False

    def install(self, app):
        return app

class Fitting(Adapter):
    framework = FrameworkVersions("starlette", "1.0", tested="999", before="1000")

class Newer(Adapter):
    framework = FrameworkVersions("starlette", "0.1", tested="0.2")

class TooOld(Adapter):
    framework = FrameworkVersions("starlette", "999")

class TooNew(Adapter):
    framework = FrameworkVersions("starlette", "0.1", before="0.2")

class Unknown(Adapter):
    framework = FrameworkVersions("no-such-distribution", "1")
"""

List = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def adapters(tmp_path: Path) -> List:
    """Runs the command where these adapters are registered, and no others."""

    def run(*arguments: str, **points: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "made_here.py").write_text(ADAPTERS)
        info = tmp_path / "wsgessions-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wsgessions\nVersion: 1.5\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]))
        paths = os.pathsep.join(map(str, (tmp_path, ROOT, ROOT / "adapters")))
        return subprocess.run(
            [sys.executable, "-m", "wsgessions", "adapters", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def listed(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return {row["name"]: row for row in json.loads(done.stdout)["adapters"]}


def test_our_own_are_listed_with_what_they_support(adapters: List) -> None:
    rows = listed(
        adapters(
            "--json", fastapi="wsgessions_fastapi:FastAPIAdapter", starlette="wsgessions_starlette:StarletteAdapter"
        )
    )
    assert rows["starlette"] == {
        "name": "starlette",
        "adapter": "wsgessions_starlette:StarletteAdapter",
        "package": "wsgessions 1.5",
        "supports": "starlette >=1.0,<2",
        "tested": "1.10",
        "installed": version("starlette"),
        "fits": "yes",
    }
    assert (rows["fastapi"]["supports"], rows["fastapi"]["installed"]) == ("fastapi >=0.133,<1", version("fastapi"))


@pytest.mark.parametrize(
    ("kind", "fits"),
    [
        ("Fitting", "yes"),
        ("Newer", "yes, newer than tested"),
        ("TooOld", "no: too old"),
        ("TooNew", "no: too new"),
        ("Unknown", "version unknown"),
        ("Adapter", "not declared"),
    ],
)
def test_how_the_installed_version_stands_is_said(adapters: List, kind: str, fits: str) -> None:
    assert listed(adapters("--json", it=f"made_here:{kind}"))["it"]["fits"] == fits


def test_an_adapter_without_its_framework_says_what_to_install(adapters: List) -> None:
    rows = listed(adapters("--json", missing="no_such_module:Adapter"))
    assert rows["missing"]["fits"] == 'no: pip install "wsgessions[missing]"'
    assert rows["missing"]["installed"] == ""


def test_people_get_a_table(adapters: List) -> None:
    done = adapters(tiny="made_here:Adapter", it="made_here:Fitting")
    heading, *rows = [line.split() for line in done.stdout.splitlines()]
    assert heading == ["NAME", "ADAPTER", "PACKAGE", "SUPPORTS", "TESTED", "INSTALLED", "FITS"]
    assert [row[0] for row in rows] == ["it", "tiny"]
    assert rows[1][-5:] == ["-", "-", "-", "not", "declared"]


def test_where_none_is_registered_it_says_so(adapters: List) -> None:
    assert adapters().stdout.startswith("no adapters are registered")
