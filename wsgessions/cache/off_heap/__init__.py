"""The off-heap tier: encoded sessions outside the Python heap, shared by the worker processes of one host.

Each worker writes one file, its own, and maps those of its siblings read-only. There is no lock between them, so none
of them can block another, wherever it is stopped or killed.

`layout` defines the format of a file, `area` reads one, `own_area` writes one, `directory` keeps them private and finds
those of living workers, `tier` combines all of this.
"""

from __future__ import annotations

import sys

from ...errors import ConfigError

if sys.platform == "win32":
    raise ConfigError(
        "the off-heap tier does not run on Windows",
        setting="max_bytes_off_heap",
        hint="set it to 0; max_bytes_on_heap works everywhere",
    )

from .directory import sweep
from .tier import OffHeap

__all__ = ["OffHeap", "sweep"]
