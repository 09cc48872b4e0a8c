"""Against a dict: a tier holds the latest states, the oldest give way first, and it stays within its limit."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.cache.off_heap.states import ANY, SMALL, Clock, Host, key_of, state
from wsgessions.record import SessionRecord

NUMBERS = st.integers(0, 40)
PAGE = 4096


class OffHeapMachine(RuleBasedStateMachine):
    """Two workers of one host; the second only reads. The model is ordered by the time of entering."""

    @initialize(pages=st.integers(0, 10))
    def start(self, pages: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.host = Host(Path(self.folder.name), Clock())
        self.limit = SMALL + pages * PAGE
        self.worker = self.host.tier(max_bytes=self.limit)
        self.sibling = self.host.tier()
        self.host.look(self.worker, self.sibling)
        self.fresh = True
        self.version = 0
        self.model: dict[int, SessionRecord] = {}

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.worker.close()
            self.sibling.close()
            self.folder.cleanup()

    @rule(number=NUMBERS, size=st.integers(0, 5000) | st.just(5000), times=st.integers(1, 12))
    def put(self, number: int, size: int, times: int) -> None:
        for step in range(times):
            self.version += 1
            record = state(number + step, self.version, size=size)
            self.worker.put(record)
            self.model.pop(number + step, None)
            self.model[number + step] = record

    @rule(number=NUMBERS)
    def put_one_too_large(self, number: int) -> None:
        self.version += 1
        self.worker.put(state(number, self.version, size=self.limit))
        self.model.pop(number, None)

    @rule(number=NUMBERS)
    def discard(self, number: int) -> None:
        self.worker.discard(key_of(number).digest)
        self.model.pop(number, None)

    @precondition(lambda self: self.version > 20)
    @rule()
    def clear(self) -> None:
        self.worker.clear()
        self.model.clear()
        self.fresh = False

    @rule(lease=st.sampled_from([-1.0, 0.0, 5.0]))
    def renew(self, lease: float) -> None:
        self.worker.renew(self.host.clock.now + lease)
        self.fresh = lease > 0

    @invariant()
    def what_is_found_is_the_latest(self) -> None:
        if not hasattr(self, "model"):
            return
        found = {number for number in range(60) if (self.own(number)) is not None}
        assert all(self.own(number) == self.model[number] for number in found)
        assert [number for number in self.model if number in found] == list(self.model)[len(self.model) - len(found) :]
        assert len(self.worker) == len(found)
        for number in range(60):
            shared = self.sibling.get_shared(key_of(number), ANY)
            assert shared == (self.model[number] if number in found and self.fresh else None)

    @invariant()
    def it_stays_within_its_limit(self) -> None:
        if not hasattr(self, "model"):
            return
        assert all(file.stat().st_size <= self.limit for file in self.host.files())
        assert self.worker.bytes_used <= self.limit

    def own(self, number: int) -> SessionRecord | None:
        return self.worker.get_own(key_of(number))


TestOffHeapMachine = OffHeapMachine.TestCase
TestOffHeapMachine.settings = settings(max_examples=40, stateful_step_count=40)
