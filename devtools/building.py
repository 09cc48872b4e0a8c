"""The verb `build`: builds the published files, and tests them."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path

from devtools.console import ROOT, STATE, Trouble, run, say
from devtools.environment import HERE, Environment
from devtools.project import declared
from devtools.testing import PARALLEL, run_tests

OF_THE_WHEEL = (
    "adapters/test_django_admin.py",
    "adapters/test_django_project.py",
    "cli",
    "docs",
    "samples",
    "servers",
    "settings",
    "testing",
    "test_framework_versions.py",
    "test_install.py",
)
"""A wheel can lack files and entry points. Files are compared; these tests use them, and the entry
points: the commands, the pytest plugin, the cart, and each framework's adapter in a process of its own."""


def build(args: list[str]) -> int:
    """Builds the sdist and the wheel into dist/, and tests the wheel."""
    wheel = build_wheel("--sdist", *args)
    (sdist,) = (ROOT / "dist").glob("*.tar.gz")
    differing = in_packages() ^ in_wheel(wheel)
    if differing:
        names = ", ".join(sorted(differing))
        raise Trouble(f"{wheel.name} has other files than the packages: {names}", "see [tool.hatch.build] in pyproject")
    say(f"the tests of {sdist.name} on {wheel.name}")
    clean = STATE / "wheel"
    shutil.rmtree(clean / "source", ignore_errors=True)
    installed = Environment(clean / "venv", wheel=wheel).need("test")
    unpack(sdist, clean / "source")
    (source,) = (clean / "source").iterdir()
    for package in ("wsgessions", "adapters", "samples/cart"):  # only the wheel has these names then
        shutil.rmtree(source / package)
    return run_tests(installed, *PARALLEL, *(f"tests/{name}" for name in OF_THE_WHEEL), folder=source)


def unpack(sdist: Path, folder: Path) -> None:
    """Unpack an sdist that was just built; with the filter for data, if this Python has it, as 3.11 has from 3.11.4."""
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        archive.extractall(folder)  # noqa: S202 - ruff knows the filter as an argument only


def build_wheel(*args: str) -> Path:
    """Build the wheel into dist/, where nothing else then lies; `--sdist` for that one too. Returns its path."""
    python = HERE.need("build")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    if run(python, "-m", "build", "--no-isolation", "--wheel", *args):
        raise Trouble("the wheel cannot be built", "see the message above")
    (wheel,) = (ROOT / "dist").glob("*.whl")
    return wheel


def in_packages() -> set[str]:
    """The files that a wheel must have, by their names there."""
    folders = [ROOT / package for package in declared()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
    found = [(folder, file) for folder in folders for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder.parent).as_posix() for folder, file in found if "__pycache__" not in file.parts}


def in_wheel(wheel: Path) -> set[str]:
    """The files of a wheel, without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}
