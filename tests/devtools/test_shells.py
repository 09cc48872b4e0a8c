"""`./dev shell`: this project's programs come first, in the folder of the caller."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from devtools import environment, using
from devtools.environment import Environment
from devtools.shells import interactive

STARTUP_FILES = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish", "sh": "profile-of-sh"}
FOUND = sorted(name for name in STARTUP_FILES if shutil.which(name))


def program(folder: Path, says: str) -> Path:
    """A `python` that says which one it is."""
    folder.mkdir(parents=True)
    file = folder / "python"
    file.write_text(f"#!/bin/sh\necho {says}\n")
    file.chmod(0o755)
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose start-up files put another `python` first, in PATH and by an alias, and set a variable."""
    other = program(tmp_path / "other", "other")
    for shell, name in STARTUP_FILES.items():
        file = tmp_path / "home" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        setting = "set -x" if shell == "fish" else "export"
        assigned = " " if shell == "fish" else "="
        path = f"{setting} PATH{assigned}{other}{' $PATH' if shell == 'fish' else ':$PATH'}\n"
        file.write_text(f"{path}alias python={other}/python\n{setting} FROM_HOME{assigned}read\n")
    for name in ("ZDOTDIR", "XDG_CONFIG_HOME", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENV", str(tmp_path / "home" / STARTUP_FILES["sh"]))
    return tmp_path


@pytest.mark.parametrize("shell", FOUND)
def test_its_python_comes_first_whatever_the_start_up_files_do(shell: str, home: Path) -> None:
    environment = home / "an environment"
    program(environment / "bin", "ours")
    opened = interactive(shell, environment, home / "state")
    done = subprocess.run(
        opened.command,
        input="python\necho $FROM_HOME\necho $VIRTUAL_ENV\nexit\n",
        env={**os.environ, **opened.variables},
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # an interactive shell would take the terminal
    )
    assert done.stdout.splitlines() == ["ours", "read", str(environment)], done.stderr


def test_an_unknown_shell_is_started_as_it_is(tmp_path: Path) -> None:
    assert interactive("/bin/nu", tmp_path, tmp_path / "state") == (["/bin/nu"], {})


@pytest.mark.parametrize("args", [["pwd"], []], ids=["command", "shell"])
def test_it_stays_in_the_folder_of_the_caller_and_says_where_it_is(
    args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "nu"
    script.write_text("#!/bin/sh\npwd\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHELL", str(script))
    monkeypatch.setenv("PATH", os.environ["PATH"])  # these two are restored
    monkeypatch.setenv("VIRTUAL_ENV", "")
    monkeypatch.setattr(Environment, "need", lambda self, *sets: self.python)  # nothing is installed in a test
    assert using.shell(args) == 0
    *said, where = capfd.readouterr().out.splitlines()
    assert where == str(tmp_path)
    assert len(said) == (0 if args else 1)
    assert all(f"a shell in {tmp_path}, in which python is {environment.HERE.python}" in line for line in said)


def test_the_command_of_the_handbook_is_run_as_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Environment, "need", lambda self, *sets: self.python)
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.setenv("VIRTUAL_ENV", "")
    assert using.shell(shlex.split("sh -c 'exit 7'")) == 7
