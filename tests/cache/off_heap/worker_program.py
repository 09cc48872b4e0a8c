"""A worker that enters one session and renews its lease all the time, until its standard input ends.

Arguments: a directory, the length of the lease in seconds.
"""

from __future__ import annotations

import select
import sys
from pathlib import Path

from tests.cache.off_heap.states import SMALL, state
from wsgessions.cache.lease import lease_clock
from wsgessions.cache.off_heap import OffHeap


def main(base: Path, lease: float) -> None:
    tier = OffHeap(SMALL, "store", directory=base)
    tier.put(state(1))
    while not select.select([sys.stdin], [], [], lease / 20)[0]:
        tier.renew(lease_clock() + lease)
    tier.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
