"""The instructions that a session costs one request: a measure of CPU work that does not depend on other load."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from .counted import COUNTED
from .in_process import AT_ONCE
from .run import Run
from .section import Section, Value, table
from .subjects import SUBJECTS, peers

__all__ = ["measure"]

_TEXT: Final = f"""Instructions of the process, counted by callgrind, in thousands: those of one of {AT_ONCE} concurrent
requests, less those of the same framework's application without sessions, and without periodic work such as
heartbeats. Names as above. The load of the machine hardly affects them; they include neither system calls nor waiting
for memory."""


def measure(run: Run) -> list[Section]:
    """Count for our library and for each peer.

    Raises:
        RuntimeError: valgrind is not installed.
    """
    if shutil.which("valgrind") is None:
        raise RuntimeError("valgrind is not installed; on Debian: apt-get install valgrind")
    subjects = [SUBJECTS["wsgessions"], *peers()]
    bare = {name: _count(name, run) for name in {subject.bare for subject in subjects}}
    rows: list[list[Value]] = []
    for subject in subjects:
        counts = zip(_count(subject.name, run), bare[subject.bare], strict=True)
        rows.append([subject.name, *((count - without) / 1000 for count, without in counts)])
    return [Section("One request, in instructions", f"{_TEXT}\n\n{table(('', *COUNTED), rows)}")]


def _count(name: str, run: Run) -> list[float]:
    """Instructions of one request, for each of `COUNTED`."""
    rounds = run.choose(quick=2, full=30)
    output = run.folder / "callgrind"
    valgrind = ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={output}"]
    command = [*valgrind, sys.executable, "-m", "bench.counted", name, run.store_url, str(rounds)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    totals = [_total(Path(f"{output}.{number + 1}")) for number in range(2 * len(COUNTED))]
    busy, idle = totals[::2], totals[1::2]
    return [(all_in_all - beside) / rounds / AT_ONCE for all_in_all, beside in zip(busy, idle, strict=True)]


def _total(dump: Path) -> int:
    """The instructions in one of callgrind's dumps."""
    found = [line for line in dump.read_text().splitlines() if line.startswith("totals:")]
    dump.unlink()
    return int(found[-1].split()[1])
