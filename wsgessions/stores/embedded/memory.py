"""The available memory for the server: of the machine, or of its container."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

__all__ = ["half_of_memory"]


def half_of_memory(system: Path = Path("/")) -> int:
    """Bytes: half of the machine's memory, or of the smallest limit of its container.

    The other half is for the rewriting of the server's file, and for the applications.

    Args:
        system: where the system's files are seen, a test's directory or the root.
    """
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_limits(system)]) // 2


def _limits(system: Path) -> Iterator[int]:
    """The limits of this process's control group and of those around it (Linux); none where there are none."""
    for file in _limit_files(system):
        with suppress(OSError, ValueError):  # not there, or "max"
            yield int(file.read_text(encoding="ascii"))


def _limit_files(system: Path) -> Iterator[Path]:
    groups = system / "sys/fs/cgroup"
    yield groups / "memory/memory.limit_in_bytes"
    yield groups / "memory.max"
    with suppress(OSError):
        for line in (system / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            own = PurePosixPath(line.rpartition(":")[2])
            yield from (groups / str(group).lstrip("/") / "memory.max" for group in (own, *own.parents))
