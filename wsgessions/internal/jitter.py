"""Random numbers for jitter and for samples, not for secrets: ids and keys come from `secrets`.

It is a separate generator. Python's shared one belongs to the application, which may have seeded it to repeat a run,
and a heartbeat in another thread must not draw from it.
"""

from __future__ import annotations

import os
import random
from typing import Final

__all__ = ["chance"]

chance: Final = random.Random()  # noqa: S311 - see above

if hasattr(os, "register_at_fork"):  # else all workers of a pre-forking server would jitter in step
    os.register_at_fork(after_in_child=chance.seed)
