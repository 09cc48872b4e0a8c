"""What is in the wheel, and what it says of itself."""

from __future__ import annotations

import ast
import tomllib

import pytest

from devtools.building import OF_THE_WHEEL
from devtools.matrix import OF_ADAPTERS
from tests.architecture.sources import CORE, ROOT


def test_the_wheel_has_exactly_the_packages_that_exist() -> None:
    """A new adapter cannot be left out of the wheel."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    homes = (ROOT, ROOT / "adapters", ROOT / "samples" / "cart")
    exist = [path.parent for home in homes for path in home.glob("wsgessions*/__init__.py")]
    assert sorted(packages) == sorted(path.relative_to(ROOT).as_posix() for path in exist)


def test_every_package_says_that_it_is_typed() -> None:
    untyped = [
        path.parent.name for path in ROOT.glob("adapters/*/__init__.py") if not (path.parent / "py.typed").exists()
    ]
    assert not untyped
    assert (CORE / "py.typed").exists()


def test_every_adapter_is_registered_under_its_frameworks_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    folders = {path.parent.name.removeprefix("wsgessions_") for path in ROOT.glob("adapters/*/__init__.py")}
    assert set(project["entry-points"]["wsgessions.adapters"]) == folders
    assert folders <= set(project["optional-dependencies"])


@pytest.mark.parametrize("file", ["dev", "devtools/__init__.py", "devtools/pythons.py"])
def test_an_old_python_can_read_what_tells_it_that_it_is_too_old(file: str) -> None:
    ast.parse((ROOT / file).read_text(), feature_version=(3, 6))


def test_one_version_stands_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'__version__ = "{version}"' in (CORE / "__init__.py").read_text()
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("path", [*OF_ADAPTERS, *(f"tests/{name}" for name in OF_THE_WHEEL)])
def test_the_tests_that_a_verb_names_exist(path: str) -> None:
    """The matrix would pass over tests that have moved away."""
    assert (ROOT / path).exists()
