"""Other packages bring stores, found by the scheme of ``store_url``; none of them can break or take those of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wsgessions.stores.registry import find_opener
from wsgessions.stores.schemes import OWN_SCHEMES, find_source

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "canary-password-55aa"

JAR = """
from wsgessions.errors import ConfigError
from wsgessions.store.capabilities import Capability
from wsgessions.stores.memory.store import MemoryStore

opened = []

class Jar:
    missing_capabilities = frozenset({Capability.KEEPING, Capability.NEAR_CACHE})

    def __init__(self, below):
        self.below = below

    def __getattr__(self, name):
        return getattr(self.below, name)

def open_jar(settings):
    opened.append((settings.store_url.rest, settings.namespace, settings.context_path, settings.grace_seconds))
    return Jar(MemoryStore(grace=settings.grace_seconds))

def refuse(settings):
    raise ConfigError("the jar has no lid", setting="store_url")

def fail(settings):
    url = settings.store_url.get_secret_value()
    raise ValueError(f"cannot parse {url}")

def open_nothing(settings):
    return {}

NUMBER = 7
"""

USE = """
import asyncio
from wsgessions import SessionManager
from wsgessions.store.capabilities import Capability, Countable, LimitedStore, find_capability
import jar_of_this_test

async def use():
    manager = SessionManager(store_url="Jar:shelf?key=1", namespace="shop", context_path="/a", touch_interval="3s")
    async with manager.open() as session:
        session["a"] = 1
        await session.commit()
        there = session.id
    async with manager.open(there) as session:
        assert session == {"a": 1}
    limited = find_capability(manager.store, LimitedStore)
    assert limited.missing_capabilities == {Capability.KEEPING, Capability.NEAR_CACHE}
    assert await find_capability(manager.store, Countable).count() == 1
    await manager.close()

asyncio.run(use())
print(jar_of_this_test.opened)
"""

ASKING = """
import sys
from wsgessions import SessionManager, errors
for url in sys.argv[1:]:
    try:
        SessionManager(store_url=url)
    except errors.ConfigError as error:
        print(error)
    else:
        print("opened")
"""


class Site:
    """A directory of installed packages."""

    def __init__(self, path: Path) -> None:
        self._path = path
        (path / "jar_of_this_test.py").write_text(JAR)
        (path / "unimportable_of_this_test.py").write_text("import a_driver_that_is_missing\n")

    def install(self, package: str, *lines: str) -> None:
        """A package that registers these stores, by the files that an installer leaves."""
        info = self._path / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("\n".join(["[wsgessions.stores]", *lines, ""]))

    def run(self, program: str, *arguments: str) -> str:
        """What a program says that has these packages."""
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=self._path,
            env={"PYTHONPATH": f"{self._path}:{ROOT}", "PATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_store_of_another_package_is_opened_by_its_scheme_and_told_what_it_needs(site: Site) -> None:
    """Its limits and its powers are seen through the layers in front of it. Schemes know no case."""
    site.install("jar-sessions", "jar = jar_of_this_test:open_jar")
    assert site.run(USE) == "[('shelf?key=1', 'shop', '/a', 4.5)]"


def test_an_unknown_scheme_is_answered_with_those_that_are_installed(site: Site) -> None:
    site.install("jar-sessions", "jar = jar_of_this_test:open_jar")
    said = site.run(ASKING, "jat:shelf")
    assert "the URL's scheme is not known" in said
    assert "did you mean 'jar'?" in said
    assert "aiocache:alias, jar:" in said


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("unimportable_of_this_test:open_jar", "No module named 'a_driver_that_is_missing'"),
        ("jar_of_this_test:open_jug", "has no attribute 'open_jug'"),
        ("jar_of_this_test:NUMBER", "is not a function"),
        ("jar_of_this_test:fail", "it raised ValueError"),
        ("jar_of_this_test:open_nothing", "what it opens is not a store: it lacks clock, start"),
        ("not an object reference", "AttributeError"),
    ],
)
def test_a_package_that_cannot_be_used_is_named_when_its_scheme_is_asked_for(
    site: Site, value: str, reason: str
) -> None:
    """S-79: and what it says of the URL is not repeated."""
    site.install("jar-sessions", f"jar = {value}")
    said = site.run(ASKING, f"jar://ann:{PASSWORD}@shelf", "memory:", "valkey://localhost")
    assert "the stores of jar: come from jar-sessions 1.0, which cannot be used" in said
    assert reason in said
    assert PASSWORD not in said
    assert said.endswith("\nopened\nopened"), "stores of ours are"


def test_what_a_package_refuses_is_said_in_its_own_words(site: Site) -> None:
    site.install("jar-sessions", "jar = jar_of_this_test:refuse")
    assert site.run(ASKING, "jar:shelf") == "setting 'store_url': the jar has no lid"


def test_two_packages_with_one_scheme_are_both_named(site: Site) -> None:
    site.install("jar-sessions", "jar = jar_of_this_test:open_jar")
    site.install("jug-sessions", "JAR = jar_of_this_test:open_jar", "jug = jar_of_this_test:open_jar")
    said = site.run(ASKING, "jar:shelf")
    assert "jar: is a scheme of several packages" in said
    assert "jar-sessions 1.0" in said
    assert "jug-sessions 1.0" in said
    assert site.run(ASKING, "jug:shelf") == "opened"


def test_the_remains_of_a_package_hinder_no_other_and_are_named_by_what_they_register(
    site: Site, tmp_path: Path
) -> None:
    site.install("uninstalled-by-half", "jug = a_module_that_is_gone:open_jug")
    (tmp_path / "uninstalled_by_half-1.0.dist-info" / "METADATA").unlink()
    site.install("jar-sessions", "jar = jar_of_this_test:open_jar")
    assert site.run(ASKING, "jar:shelf") == "opened"
    assert "come from the package of a_module_that_is_gone:open_jug, which" in site.run(ASKING, "jug:shelf")


@pytest.mark.parametrize("scheme", ["memory", "sentinel"])
def test_schemes_of_wsgessions_cannot_be_taken(site: Site, scheme: str) -> None:
    """Neither those of this release nor those of later ones."""
    site.install("jar-sessions", f"{scheme} = jar_of_this_test:fail")
    said = site.run(ASKING, f"{scheme}:")
    assert said == "opened" if scheme == "memory" else "stores of this kind are not in this release" in said


def test_only_the_package_knows_what_in_its_url_is_secret_so_none_of_it_is_shown(site: Site) -> None:
    """S-79."""
    site.install("jar-sessions", "jar = jar_of_this_test:open_jar")
    program = (
        f"from wsgessions import SessionSettings; url = SessionSettings(store_url='jar:ann,{PASSWORD}').store_url\n"
        "print(str(url), repr(url), url.rest)"
    )
    assert site.run(program) == f"jar:*** StoreUrl('jar:***') ann,{PASSWORD}"


def test_a_store_that_is_not_used_is_not_imported(site: Site) -> None:
    site.install("jar-sessions", "jar = jar_of_this_test:open_jar")
    program = (
        "import sys; from wsgessions import SessionManager; SessionManager(store_url='memory:')\n"
        "ours = 'wsgessions.stores.'\n"
        "print([name for name in sys.modules if name.startswith(('jar_', ours + 'valkey', ours + 'embedded'))])"
    )
    assert site.run(program) == "[]"


@pytest.mark.parametrize("scheme", sorted(OWN_SCHEMES))
def test_each_scheme_of_wsgessions_has_what_opens_it(scheme: str) -> None:
    """In a source checkout, too: nothing needs to be installed for it."""
    source = find_source(scheme)
    assert source is not None
    assert source.package == "wsgessions"
    assert callable(find_opener(scheme))


def test_a_package_that_was_uninstalled_meanwhile_is_missed(site: Site) -> None:
    site.install("jar-sessions", "jar = jar_of_this_test:open_jar")
    program = (
        "import shutil; from wsgessions import SessionManager, SessionSettings, errors\n"
        "settings = SessionSettings(store_url='jar:shelf'); shutil.rmtree('jar_sessions-1.0.dist-info')\n"
        "try: SessionManager(settings)\n"
        "except errors.ConfigError as error: print(error)"
    )
    assert "the URL's scheme is not known any more" in site.run(program)
