"""Information about other processes: on Linux from /proc, elsewhere from ``ps``, if it exists."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ProcessMark", "listener_of", "program_name"]

_LISTENING = "0A"


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """The identity of a process, which differs from a later one of the same number.

    Attributes:
        pid: its number.
        started: when it started, in whatever form the system gives; only compared.
    """

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessMark | None:
        """The mark of a running process; None if there is none of that number, or it is only waiting to be reaped."""
        started = _started(pid)
        return cls(pid, started) if started else None

    def is_alive(self) -> bool:
        return ProcessMark.of(self.pid) == self

    def kill(self) -> None:
        """Kill it and its process group, if it still is the process that was marked."""
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def to_bytes(self) -> bytes:
        return json.dumps([self.pid, self.started]).encode()

    @classmethod
    def from_bytes(cls, content: bytes | None) -> ProcessMark | None:
        """None for bytes that `to_bytes` has not written."""
        try:
            pid, started = json.loads(content or b"")
        except (ValueError, TypeError):
            return None
        return cls(pid, started) if isinstance(pid, int) and isinstance(started, str) else None


def _started(pid: int) -> str:
    if sys.platform != "linux":
        # The form of the date follows the locale, and two processes are to find the same.
        asked = ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)]
        shown = subprocess.run(asked, capture_output=True, text=True, check=False, env={"LC_ALL": "C"})
        state, _, started = shown.stdout.strip().partition(" ")
        return "" if state.startswith("Z") else started.strip()
    try:
        # The program's name stands in parentheses and may hold anything, so fields are counted after the last one.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{boot} {fields[19]}"


def program_name(pid: int) -> str:
    """The name of a program, such as ``nginx``; ``""`` where the system does not tell."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""
    return "".join(letter for letter in name if letter.isprintable())


def listener_of(port: int) -> str:
    """The process that listens on a TCP port: ``"pid 123 (nginx)"``; ``""`` where the system does not tell."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for files in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            if any(file.is_symlink() and str(file.readlink()) in sockets for file in files.iterdir()):
                pid = int(files.parent.name)
                return f"pid {pid} ({program_name(pid)})"
    return ""


def _listening_inodes(port: int) -> list[str]:
    inodes: list[str] = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.append(fields[9])
    return inodes
