"""A worker that forks and dies; its child stays until its standard input ends. Argument: a directory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.cache.off_heap.states import SMALL
from wsgessions.cache.off_heap import OffHeap

if __name__ == "__main__":
    tier = OffHeap(SMALL, "store", directory=Path(sys.argv[1]))
    if not os.fork():
        sys.stdin.read()
    os._exit(0)
