"""Forks writers and kills each at a random moment, while it reads what they write. Prints what came of it.

Arguments: a directory, the number of writers, and after how many seconds there shall be no more of them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from tests.cache.off_heap.states import ANY, Clock, Host, key_of, state
from wsgessions.cache.off_heap import OffHeap

SESSIONS = 12
LIFE = 0.02
"""Seconds that a writer lives at most."""
VERSIONS = 1_000_000
"""More than one writer gets through."""
LEASE = 1e6


def write(tier: OffHeap, until: float, version: int) -> NoReturn:
    """States of a few sessions, for ever, the ring going round every few of them."""
    parent = os.getppid()
    chance = random.Random(version)
    tier.put(state(0))  # the file is the parent's: nothing may come of this
    tier.renew(until)
    while os.getppid() == parent:
        version += 1
        tier.put(state(version % SESSIONS, version, size=chance.randrange(6000)))
        if not version % 7:
            tier.discard(key_of(chance.randrange(SESSIONS)).digest)
        if not version % 97:
            tier.clear()
            tier.renew(until)
    os._exit(1)


class Reader:
    """Reads what siblings write, and notes what must not be."""

    def __init__(self, tier: OffHeap) -> None:
        self.tier = tier
        self.read = 0
        self.wrong: list[str] = []
        self._newest = dict.fromkeys(range(SESSIONS), 0)

    def read_all(self) -> None:
        for number, newest in self._newest.items():
            found = self.tier.get_shared(key_of(number), ANY)
            if found is None:
                continue
            self.read += 1
            if found != state(number, found.version, size=4 * len(found.attributes["name_0"])):
                self.wrong.append(f"version {found.version} of session {number} is a mixture")
            if found.version < newest:
                self.wrong.append(f"session {number} went back from {newest} to {found.version}")
            self._newest[number] = found.version


def main(base: Path, writers: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    host = Host(base, Clock())
    tier = host.tier()
    tier.put(state(77))
    reader = Reader(tier)
    killed = 0
    while killed < writers and time.monotonic() < end:
        child = os.fork()
        if not child:
            write(tier, host.clock.now + LEASE, (killed + 1) * VERSIONS)
        while not tier.siblings:
            host.look(tier)
        until = time.monotonic() + random.uniform(0, LIFE)
        while time.monotonic() < until:
            reader.read_all()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        killed += 1
        reader.read_all()
        host.clock.now += 2 * LEASE
        host.look(tier)
        if tier.siblings or len(host.files()) > 1:
            reader.wrong.append("the file of a dead writer was not removed")
    if tier.get_own(key_of(77)) != state(77) or tier.get_own(key_of(0)):
        reader.wrong.append("a child wrote to its parent's file")
    tier.close()
    json.dump({"killed": killed, "read": reader.read, "wrong": reader.wrong[:10]}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
