"""Finds a pip, on a machine that may have none."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from devtools.console import Trouble
from devtools.debian import DEBIAN, comes_from_debian, unpack_from_debian
from devtools.pythons import other_pythons


def works_with_python_option(pip: list[str]) -> bool:
    """Whether this command is a pip of 22.3 or later, which can install into another environment."""
    answer = subprocess.run([*pip, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"pip (\d+)\.(\d+)", answer.stdout)
    return version is not None and tuple(map(int, version.groups())) >= (22, 3)


def find_pip(python: Path) -> list[str]:
    """A pip that can install into `python`'s environment, from any place on this machine."""
    base = Path(sys.base_prefix) / "bin" / "python3"  # this Python may be that of a virtual environment without pip
    for own in ([sys.executable, "-m", "pip"], [str(base), "-m", "pip"]):
        if works_with_python_option(own):
            return own
    if subprocess.run([python, "-m", "ensurepip"], capture_output=True, check=False).returncode == 0:
        return [str(python), "-m", "pip"]
    for _, other in other_pythons():
        if works_with_python_option([other, "-m", "pip"]):
            return [other, "-m", "pip"]
    return pip_of_debian()


def pip_of_debian() -> list[str]:
    """Debian's pip, unpacked into .dev: Debian's Python has neither pip nor ensurepip, and this needs no root."""
    wheels = DEBIAN / "usr" / "share" / "python-wheels"
    if not list(wheels.glob("pip-*.whl")):
        if not comes_from_debian():
            raise Trouble(f"{sys.executable} has no pip and no ensurepip", "install pip for it, or uv")
        unpack_from_debian("python3-pip-whl", "sudo apt install python3-pip, then run the same command again")
    return [sys.executable, str(next(wheels.glob("pip-*.whl")) / "pip")]
