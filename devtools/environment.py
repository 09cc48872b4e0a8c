"""The environments of verbs: created and filled at their first use, from the pins in requirements/."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from devtools.console import ROOT, STATE, run_logged
from devtools.pip import find_pip


class Environment:
    """A virtual environment, with stamps that record its sets of pins."""

    def __init__(
        self, folder: Path, creator: str = sys.executable, *, wheel: Path | None = None, base: str = "base"
    ) -> None:
        self.folder = folder
        self.creator = creator
        self.wheel = wheel
        self.base = base
        self.stamps = folder / "stamps"
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.bin / ("python.exe" if os.name == "nt" else "python")

    def need(self, *sets: str) -> Path:
        """Install the pins of the base and these sets, and the project: its wheel if given, else editable from here."""
        if self.is_here() and all(self.stamp(name).exists() for name in (self.base, *sets)) and not self.wheel:
            return self.python
        with only_one():
            if not self.is_here():
                self.make()
            for name in (self.base, *sets):
                self.install(name)
            if self.wheel:
                run_logged("installing the wheel ...", *self.installer(), "--no-deps", "--force-reinstall", self.wheel)
        return self.python

    def take(self, wheel: Path, *requirements: str) -> Path:
        """Install what a user's `pip install` names: this wheel for the project, all else in its pinned version."""
        installed = self.stamps / f"wheel-{hashlib.sha256(wheel.read_bytes()).hexdigest()[:16]}"
        with only_one():
            if not (self.is_here() and installed.exists()):
                self.make()
                wanted = [f"{name} @ {wheel.as_uri()}" if is_ours(name) else name for name in requirements]
                title = f"installing {' '.join(requirements)} ..."
                run_logged(title, *self.installer(), "-c", versions("base", "test"), *wanted)
                installed.touch()
        return self.python

    def make(self) -> None:
        """Make the environment anew, with nothing in it."""
        venv = (self.creator, "-m", "venv", "--clear", "--without-pip")
        run_logged(f"making {self.folder.relative_to(ROOT)} ...", *venv, self.folder)
        self.stamps.mkdir()
        (self.stamps / "place").write_text(str(self.folder))

    def is_here(self) -> bool:
        """Whether the environment works: it contains absolute paths, and cannot be moved with the folder."""
        place = self.stamps / "place"
        return self.python.exists() and place.exists() and place.read_text() == str(self.folder)

    def stamp(self, name: str) -> Path:
        """The stamp that exists if this set is installed with its present pins."""
        pins = ROOT / "requirements" / f"{name}.txt"
        content = pins.read_bytes() + ((ROOT / "pyproject.toml").read_bytes() if name == self.base else b"")
        return self.stamps / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}"

    def install(self, name: str) -> None:
        stamp = self.stamp(name)
        if stamp.exists():
            return
        title = f"installing what {'everything' if name == self.base else name} needs (once) ..."
        # The pins are complete. If pip resolved them again, it might choose the newest release of what a
        # package needs with an extra ("coverage[toml]"), which then differs from its pin, and refuse it.
        pins = ("--no-deps", "--require-hashes", "-r", ROOT / "requirements" / f"{name}.txt")
        run_logged(title, *self.installer(), *pins)
        if name == self.base and not self.wheel:
            run_logged("installing the project ...", *self.installer(), "--no-deps", "--no-build-isolation", "-e", ROOT)
        for old in self.stamps.glob(f"{name}-*"):
            old.unlink()
        stamp.touch()

    def installer(self) -> list[str]:
        """The command, up to its arguments, that installs into this environment."""
        uv = shutil.which("uv")
        if uv:
            return [uv, "pip", "install", "--python", str(self.python)]
        return [*find_pip(self.python), "--python", str(self.python), "install", "--disable-pip-version-check"]


def versions(*sets: str) -> Path:
    """A file with the pinned versions alone: with hashes, pip would want one of the wheel too."""
    pins = "".join((ROOT / "requirements" / f"{name}.txt").read_text() for name in sets)
    target = STATE / "versions.txt"
    target.write_text("".join(f"{line}\n" for line in re.findall(r"^(\w.*?) *\\?$", pins, re.MULTILINE)))
    return target


def is_ours(requirement: str) -> bool:
    """Whether a requirement names this project, with extras or without."""
    return requirement.partition("[")[0] == "wsgessions"


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Make a second `./dev` wait while one installs; the lock is freed with the process, however it ends."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        if os.name != "nt":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


HERE = Environment(ROOT / ".venv")
