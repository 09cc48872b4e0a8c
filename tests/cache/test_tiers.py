"""Two tiers as one, and the tiers of two workers beside each other: nothing is served that is known to be over."""

from __future__ import annotations

import tempfile
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.cache.off_heap.states import SMALL, Clock
from wsgessions.cache.lease import Lease
from wsgessions.cache.listener import InvalidationListener
from wsgessions.cache.near_cache import FeedingStore, NearCache
from wsgessions.cache.off_heap import OffHeap
from wsgessions.record import Seen, SessionKey, SessionRecord, StoredAttributes
from wsgessions.store.cache_statistics import Loss, Miss
from wsgessions.stores.memory.store import MemoryStore

FAR_MS = 2**50
INCARNATION = 7
LENGTH = 2.0
HEAP = 100_000


class Behind(MemoryStore):
    """The store behind a cache that is not started."""

    def feed(self, cache: InvalidationListener, lease: Lease) -> None:
        """It is fed by the tests."""


@dataclass
class Machine:
    """A host, its clock and its workers."""

    base: Path
    clock: Clock = field(default_factory=Clock)
    tiers: list[OffHeap] = field(default_factory=list)

    def worker(self, *, heap: int = HEAP) -> NearCache:
        tier = OffHeap(SMALL, "store", directory=self.base, clock=self.clock)
        self.tiers.append(tier)
        lease = Lease(LENGTH, clock=self.clock)
        return NearCache(cast("FeedingStore", Behind()), lease=lease, max_bytes=heap, off_heap=tier, audit_share=0)

    def workers(self, number: int, *, heap: int = HEAP) -> list[NearCache]:
        made = [self.worker(heap=heap) for _ in range(number)]
        self.clock.now += 1.5
        for worker in made:
            worker.on_heartbeat(self.clock.now)
        return made

    def close(self) -> None:
        for tier in self.tiers:
            tier.close()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.close()


def key_of(number: int) -> SessionKey:
    return SessionKey(number, blake2b(number.to_bytes(8), digest_size=16).digest())


def state(number: int, version: int = 1, *, expires_ms: int = FAR_MS, size: int = 8) -> SessionRecord:
    attributes = StoredAttributes({"a": version.to_bytes(size)})
    return SessionRecord(key_of(number), INCARNATION, version, 0, 1000, FAR_MS, expires_ms, attributes)


def recalled(cache: NearCache, number: int, version: int = 0) -> SessionRecord | None:
    """What is served, and brought back before anything else happens."""
    found = cache.lookup(key_of(number), Seen(INCARNATION, version))
    if found is not None:
        cache.tiers.bring_back(found)
    return found


# -- one worker --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("heap", [0, HEAP])
def test_what_leaves_the_heap_is_served_from_outside_and_comes_back(machine: Machine, heap: int) -> None:
    [cache] = machine.workers(1, heap=heap)
    cache.on_loaded(state(1))
    cache.heap.discard(key_of(1).digest)
    assert recalled(cache, 1) == state(1)
    assert recalled(cache, 1) == state(1)
    assert (cache.statistics.heap_hits, cache.statistics.off_heap_hits) == ((1, 1) if heap else (0, 2))


@pytest.mark.parametrize("heap", [0, HEAP])
def test_what_others_have_written_is_in_neither_tier(machine: Machine, heap: int) -> None:
    [cache] = machine.workers(1, heap=heap)
    cache.on_loaded(state(1))
    cache.on_changed(key_of(1).digest)
    assert recalled(cache, 1) is None
    assert cache.statistics.invalidations == 1
    cache.on_changed(key_of(1).digest)
    assert cache.statistics.invalidations == 1, "it was outdated already"
    cache.on_loaded(state(1, 2))
    assert recalled(cache, 1) == state(1, 2)


@pytest.mark.parametrize("end", [lambda cache: cache.on_removed(key_of(1)), lambda cache: cache.on_lost(Loss.FLUSHED)])
def test_an_end_is_one_in_both_tiers(machine: Machine, end: Callable[[NearCache], None]) -> None:
    [cache] = machine.workers(1)
    cache.on_loaded(state(1))
    end(cache)
    cache.on_heartbeat(machine.clock.now)
    assert recalled(cache, 1) is None
    assert cache.get_base(key_of(1)) is None


def test_without_a_lease_nothing_is_served_from_outside_the_heap(machine: Machine) -> None:
    one, two = machine.workers(2, heap=0)
    one.on_loaded(state(1))
    assert recalled(one, 1) == recalled(two, 1) == state(1)
    two.on_refused()
    assert recalled(two, 1) is None
    assert two.statistics.misses == {Miss.LEASE: 1}


def test_a_touch_reaches_what_is_outside_the_heap(machine: Machine) -> None:
    """C-16: moved on by a quarter of the interval at a time, since each is a write."""
    [cache] = machine.workers(1, heap=0)
    cache.on_loaded(state(1, expires_ms=1000))
    cache.tiers.extend(key_of(1), 1200)
    assert cache.get_base(key_of(1)) == state(1, expires_ms=1000)
    cache.tiers.extend(key_of(1), 1300)
    assert cache.get_base(key_of(1)) == state(1, expires_ms=1300)


def test_a_session_about_to_expire_is_served_from_neither(machine: Machine) -> None:
    one, two = machine.workers(2, heap=0)
    one.on_loaded(state(1, expires_ms=one.clock.now_ms() + 400))
    assert recalled(one, 1) is recalled(two, 1) is None
    assert one.statistics.misses == two.statistics.misses == {Miss.EXPIRING: 1}


def test_a_state_too_large_for_the_heap_is_served_from_outside(machine: Machine) -> None:
    [cache] = machine.workers(1, heap=10_000)
    cache.on_loaded(state(1))
    cache.on_loaded(state(1, 2, size=4000))
    assert recalled(cache, 1, 2) == state(1, 2, size=4000)


# -- two workers -------------------------------------------------------------------------------------------------------


def test_what_a_sibling_lends_is_a_base_and_never_a_copy_of_ours(machine: Machine) -> None:
    """C-2: its link is told of changes, ours is not."""
    one, two = machine.workers(2)
    one.on_loaded(state(1))
    assert recalled(two, 1) == state(1)
    assert two.get_base(key_of(1)) == state(1)
    one.on_changed(key_of(1).digest)
    assert recalled(two, 1) is None


def test_what_this_worker_knows_to_be_over_is_not_lent_to_it(machine: Machine) -> None:
    one, two = machine.workers(2)
    for cache in (one, two):
        cache.on_loaded(state(1))
    two.on_changed(key_of(1).digest)
    assert recalled(two, 1) is None, "although the sibling has not heard of it yet"
    one.on_loaded(state(1, 2))
    assert recalled(two, 1) == state(1, 2)
    two.on_removed(key_of(1))
    assert recalled(two, 1) is None
    two.on_loaded(state(1, 3))
    assert recalled(two, 1, 3) == state(1, 3)


def test_of_more_ends_than_are_remembered_the_latest_are(machine: Machine) -> None:
    one, two = machine.workers(2)
    one.on_loaded(state(1))
    two.on_removed(key_of(1))
    for number in range(2, 4097):
        two.on_removed(key_of(number))
    assert recalled(two, 1) is None
    two.on_removed(key_of(1))
    for number in range(5000, 9095):
        two.on_removed(key_of(number))
    assert recalled(two, 1) is None
    two.on_removed(key_of(9999))
    assert recalled(two, 1) == state(1), "and then the sibling's push has come, or its lease is over soon"


@pytest.mark.parametrize("loss", Loss)
def test_what_was_found_before_a_loss_does_not_come_back_after_it(machine: Machine, loss: Loss) -> None:
    """C-1: it may be of a history that the store has lost, and no read may rest on that."""
    one, two = machine.workers(2)
    one.on_loaded(state(1))
    generation = two.generation
    found = two.lookup(key_of(1), Seen(INCARNATION, 0))
    assert found is not None
    two.on_lost(loss)
    two._bring_back(generation, 0, found)
    assert two.get_base(key_of(1)) is None


def test_what_ended_while_it_was_on_its_way_back_stays_away(machine: Machine) -> None:
    [cache] = machine.workers(1)
    cache.on_loaded(state(1))
    cache.heap.discard(key_of(1).digest)
    found = cache.lookup(key_of(1), Seen(INCARNATION, 0))
    assert found is not None
    cache.on_removed(key_of(1))
    assert not cache.tiers.bring_back(found)
    assert cache.get_base(key_of(1)) is None


# -- any order of events -----------------------------------------------------------------------------------------------

WORKERS = st.integers(0, 2)
SESSIONS = st.integers(0, 2)


class TiersOfWorkers(RuleBasedStateMachine):
    """Three workers on one store; each hears of changes by others later, in order, before its next own reply."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.machine = Machine(Path(self.directory.name))
        self.caches = self.machine.workers(3)
        self.version = 10
        self.stored: dict[int, int] = dict.fromkeys(range(3), 10)
        """The versions in the store, by session; an ended one has none."""
        self.pushes: list[deque[int]] = [deque() for _ in self.caches]
        self.tracked: list[dict[int, int]] = [{} for _ in self.caches]
        """By worker: the versions that its stream says are in the store."""
        self.over: list[defaultdict[int, int]] = [defaultdict(int) for _ in self.caches]
        """By worker: the last versions that it cannot but know to be over."""
        self.found: list[tuple[int, int, SessionRecord]] = []

    def teardown(self) -> None:
        self.machine.close()
        self.directory.cleanup()

    def change(self, by: int, session: int) -> None:
        """The server pushes to all others that track the session."""
        for worker, tracked in enumerate(self.tracked):
            if worker != by and session in tracked and session not in self.pushes[worker]:
                self.pushes[worker].append(session)

    def install(self, worker: int, session: int) -> None:
        self.hear(worker)
        version = self.stored[session]
        self.caches[worker].on_loaded(state(session, version))
        self.tracked[worker][session] = version
        self.over[worker].pop(session, None)

    @rule(worker=WORKERS)
    def hear(self, worker: int) -> None:
        while self.pushes[worker]:
            session = self.pushes[worker].popleft()
            self.caches[worker].on_changed(key_of(session).digest)
            self.over[worker][session] = max(self.over[worker][session], self.tracked[worker].pop(session))

    @rule(worker=WORKERS, session=SESSIONS)
    def read(self, worker: int, session: int) -> None:
        if session in self.stored:
            self.install(worker, session)

    @rule(worker=WORKERS, session=SESSIONS)
    def write(self, worker: int, session: int) -> None:
        if session in self.stored:
            self.hear(worker)
            self.version += 1
            self.stored[session] = self.version
            self.change(worker, session)
            self.install(worker, session)

    @rule(worker=WORKERS, session=SESSIONS)
    def end(self, worker: int, session: int) -> None:
        self.hear(worker)
        self.stored.pop(session, None)
        self.change(worker, session)
        self.tracked[worker].pop(session, None)
        self.caches[worker].on_removed(key_of(session))
        self.over[worker][session] = self.version + 1000

    @rule(worker=WORKERS, session=SESSIONS)
    def leave_the_heap(self, worker: int, session: int) -> None:
        self.caches[worker].heap.discard(key_of(session).digest)

    @rule(worker=WORKERS)
    def lose_the_lease(self, worker: int) -> None:
        self.caches[worker].on_refused()

    @rule(worker=WORKERS)
    def renew(self, worker: int) -> None:
        self.hear(worker)
        self.caches[worker].on_heartbeat(self.machine.clock.now)

    @rule(seconds=st.floats(0, 1.2 * LENGTH))
    def time_goes_by(self, seconds: float) -> None:
        self.machine.clock.now += seconds

    @rule(worker=WORKERS)
    def lose_the_connection(self, worker: int) -> None:
        self.caches[worker].on_lost(Loss.CONNECTION)
        self.pushes[worker].clear()
        self.tracked[worker].clear()

    @rule()
    def bring_back(self) -> None:
        for worker, generation, record in self.found:
            self.caches[worker]._bring_back(generation, 0, record)
        self.found.clear()

    @rule(worker=WORKERS, session=SESSIONS, behind=st.integers(0, 30))
    def lookup(self, worker: int, session: int, behind: int) -> None:
        cache, seen = self.caches[worker], self.version - behind
        found = cache.lookup(key_of(session), Seen(INCARNATION, seen))
        if found is None:
            return
        self.found.append((worker, cache.generation, found))
        assert cache._lease.fresh
        assert found == state(session, found.version)
        assert found.version >= seen
        assert found.version > self.over[worker][session]
        assert any(
            tracked.get(session) == found.version and sibling._lease.fresh
            for sibling, tracked in zip(self.caches, self.tracked, strict=True)
        ), "nobody vouches for it"

    @invariant()
    def a_base_is_a_state_that_was(self) -> None:
        for cache in self.caches:
            for session in range(3):
                held = cache.get_base(key_of(session))
                assert held is None or held == state(session, held.version)


TiersOfWorkers.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestTiersOfWorkers = TiersOfWorkers.TestCase
