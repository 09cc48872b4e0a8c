"""An adapter says for which versions of its framework it is made, and others are refused at the installation."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, entry_points
from pathlib import Path
from typing import ClassVar

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from wsgessions import framework_versions, install
from wsgessions.adapter import Adapter
from wsgessions.errors import ConfigError
from wsgessions.framework_versions import Fit, FrameworkVersions, check_framework
from wsgessions_fastapi import FastAPIAdapter
from wsgessions_starlette import StarletteAdapter


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is installed, by name."""
    present: dict[str, str] = {}

    def version(name: str) -> str:
        if name not in present:
            raise PackageNotFoundError(name)
        return present[name]

    monkeypatch.setattr(framework_versions, "version", version)
    return present


@pytest.mark.parametrize(
    ("version", "fit"),
    [
        ("0.9", Fit.TOO_OLD),
        ("0.99.9", Fit.TOO_OLD),
        ("1", Fit.FITS),
        ("1.0", Fit.FITS),
        ("1.0rc1", Fit.FITS),
        ("1.10.0", Fit.FITS),
        ("1.10.7.post1", Fit.FITS),
        ("1.11", Fit.UNTESTED),
        ("1.99.dev3", Fit.UNTESTED),
        ("2", Fit.TOO_NEW),
        ("2.0.0", Fit.TOO_NEW),
        ("10.1", Fit.TOO_NEW),
    ],
)
def test_a_version_is_compared_number_by_number(installed: dict[str, str], version: str, fit: Fit) -> None:
    installed["kit"] = version
    assert FrameworkVersions("kit", "1.0", tested="1.10", before="2").fit() is fit


def test_without_an_upper_bound_every_newer_version_does(installed: dict[str, str]) -> None:
    installed["kit"] = "99"
    assert FrameworkVersions("kit", "1.0").fit() is Fit.FITS
    FrameworkVersions("kit", "1.0", tested="2").check()


def test_a_framework_that_tells_no_version_is_believed(installed: dict[str, str]) -> None:
    versions = FrameworkVersions("kit", "1.0", before="2")
    assert versions.fit() is Fit.MISSING
    versions.check()


@pytest.mark.parametrize("version", ["0.49.3", "2.0"])
@pytest.mark.parametrize("how", ["by name", "by the adapter"])
def test_an_unsupported_version_is_refused_with_both_versions(
    installed: dict[str, str], version: str, how: str
) -> None:
    installed.update(starlette=version)
    with pytest.raises(ConfigError) as caught:
        if how == "by name":
            install(Starlette(), adapter="wsgessions_starlette:StarletteAdapter", store_url="memory:")
        else:
            StarletteAdapter(store_url="memory:").install(Starlette())
    assert f"starlette {version} is installed; this adapter is made for 1.0 or later and below 2" in str(caught.value)
    assert caught.value.setting == "adapter"
    assert caught.value.hint == 'pip install "starlette>=1.0,<2"'


def test_fastapi_has_versions_of_its_own(installed: dict[str, str]) -> None:
    installed.update(starlette="1.10.0", fastapi="0.100")
    with pytest.raises(ConfigError, match=r"fastapi 0\.100 is installed; this adapter is made for 0\.133 or later"):
        FastAPIAdapter(store_url="memory:").install(FastAPI())


def test_an_adapter_that_declares_nothing_takes_any_version() -> None:
    class Silent(Adapter):
        """Of the base class: nothing is declared there."""

    class Foreign:
        framework: ClassVar[None] = None

    check_framework(Silent)
    check_framework(Foreign)


@pytest.mark.parametrize("adapter", [StarletteAdapter, FastAPIAdapter])
def test_what_is_installed_here_is_supported(adapter: type[Adapter]) -> None:
    assert adapter.framework is not None
    assert adapter.framework.fit() is Fit.FITS


# -- what is declared in several places --------------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ADAPTERS = [
    point.load() for point in entry_points(group="wsgessions.adapters") if point.value.startswith("wsgessions_")
]


def bounds_in_pyproject() -> dict[str, str]:
    """The lower bound of each dependency and of each adapter's framework, by name."""
    names = [adapter.framework.distribution for adapter in ADAPTERS]
    lines = [*PROJECT["dependencies"], *(line for name in names for line in PROJECT["optional-dependencies"][name])]
    found = [re.match(r"([\w-]+)>=([\d.]+)", line) for line in lines]
    return {match[1]: match[2] for match in found if match}


def pinned_oldest() -> dict[str, str]:
    text = (ROOT / "requirements" / "oldest.txt").read_text()
    return dict(re.findall(r"^([\w-]+)==([\d.]+)", text, re.MULTILINE))


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.__name__)
def test_an_adapter_and_its_extra_name_the_same_oldest_version(adapter: type[Adapter]) -> None:
    versions = adapter.framework
    assert versions is not None
    (extra,) = PROJECT["optional-dependencies"][versions.distribution]
    requirement = extra.removeprefix(versions.distribution)
    assert requirement.split(",")[0] == f">={versions.oldest}"
    assert requirement in {versions.supported, f">={versions.oldest}"}


@pytest.mark.parametrize(("name", "oldest"), bounds_in_pyproject().items())
def test_the_matrix_runs_with_the_oldest_versions_that_are_declared(name: str, oldest: str) -> None:
    """`./dev pins` makes requirements/oldest.txt of them."""
    pinned = pinned_oldest()[name]
    assert pinned == oldest or re.fullmatch(rf"{re.escape(oldest)}(\.0)+", pinned)


def test_the_matrix_knows_all_frameworks() -> None:
    frameworks = re.search(r"^FRAMEWORKS = \((.*)\)$", (ROOT / "devtools" / "pinning.py").read_text(), re.MULTILINE)
    assert frameworks is not None
    assert sorted(re.findall(r"\w+", frameworks[1])) == sorted(adapter.framework.distribution for adapter in ADAPTERS)
