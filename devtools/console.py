"""Output and commands of verbs, and their errors with a next step."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".dev"
LOG = STATE / "install.log"


class Trouble(Exception):
    """A verb cannot continue; carries the next step."""

    def __init__(self, message: str, step: str) -> None:
        super().__init__(message)
        self.step = step


def say(text: str) -> None:
    """Print a line, unbuffered, because the next command writes to the same screen."""
    print(f"dev: {text}", flush=True)


def run(*command: str | Path, folder: Path = ROOT, **environment: str) -> int:
    """Run a command in the foreground; returns its exit code."""
    return subprocess.call([str(part) for part in command], cwd=folder, env={**os.environ, **environment})


def replace(*command: str | Path) -> int:
    """Replace this process by the command, so that Ctrl-C and signals reach it alone. On Windows it is a child."""
    if os.name == "nt":
        return run(*command)
    os.chdir(ROOT)
    sys.stdout.flush()
    return os.execv(str(command[0]), [str(part) for part in command])  # noqa: S606


def run_logged(title: str, *command: str | Path, folder: Path = ROOT) -> None:
    """Run a command with output that only matters when it fails: progress on the screen, output in the log."""
    started = time.monotonic()
    with LOG.open("ab") as log:
        log.write(f"\n$ {' '.join(map(str, command))}\n".encode())
        log.flush()
        process = subprocess.Popen([str(part) for part in command], cwd=folder, stdout=log, stderr=log)
        while process.poll() is None:
            if sys.stdout.isatty():
                print(f"\rdev: {title} {time.monotonic() - started:.0f} s", end="", flush=True)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)
    lead = "\r" if sys.stdout.isatty() else ""
    print(f"{lead}dev: {title} {time.monotonic() - started:.0f} s", flush=True)
    if process.returncode:
        tail = LOG.read_text(errors="replace").splitlines()[-15:]
        print("\n".join(f"   | {line}" for line in tail))
        raise Trouble(f"{title} failed; the whole log is {LOG.relative_to(ROOT)}", remedy("\n".join(tail)))


REMEDIES = {
    r"No space left": "free some disk space, then run the same command again",
    r"HASHES|[Hh]ash mismatch": "a package differs from its pin: `./dev pins`, if you trust the package index",
    r"Permission denied|Read-only": "see that you may write to this folder, then run the same command again",
    r"resol|timed? ?out|[Cc]onnect|unreachable|CERTIFICATE|No matching distribution": (
        "see that this machine can reach its package index, then run the same command again"
    ),
}


def remedy(log: str) -> str:
    """The next step after a failed installation."""
    fitting = [step for pattern, step in REMEDIES.items() if re.search(pattern, log)]
    return fitting[0] if fitting else "remove the folder .venv and run the same command again"
