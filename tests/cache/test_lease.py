"""The lease ends by itself, counts from the sending, and goes on while the machine sleeps (C-4, C-5)."""

from __future__ import annotations

import time

import pytest

from tests.stores.valkey.caching_node import Clock
from wsgessions.cache.lease import Lease, lease_clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_lease_that_was_never_granted_is_not_fresh(clock: Clock) -> None:
    assert not Lease(1.5, clock=clock).fresh


def test_it_lasts_its_length_from_the_sending_of_the_heartbeat(clock: Clock) -> None:
    """C-4: however late the reply comes."""
    lease = Lease(1.5, clock=clock)
    sent_at = clock.now
    clock.now += 1.0
    lease.renew(sent_at)
    assert lease.fresh
    clock.now = sent_at + 1.5
    assert not lease.fresh


def test_a_reply_that_comes_after_the_end_grants_nothing(clock: Clock) -> None:
    lease = Lease(1.5, clock=clock)
    lease.renew(clock.now - 2)
    assert not lease.fresh


def test_an_older_heartbeat_does_not_shorten_it(clock: Clock) -> None:
    lease = Lease(1.5, clock=clock)
    lease.renew(clock.now)
    lease.renew(clock.now - 1)
    assert lease.fresh_until == clock.now + 1.5


def test_it_can_be_ended_and_says_whether_it_was_fresh(clock: Clock) -> None:
    """C-5."""
    lease = Lease(1.5, clock=clock)
    lease.renew(clock.now)
    assert lease.end()
    assert not lease.fresh
    assert not lease.end()


def test_of_length_0_it_is_never_fresh(clock: Clock) -> None:
    lease = Lease(0.0, clock=clock)
    lease.renew(clock.now)
    assert not lease.fresh


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no clock that counts suspension")
def test_its_clock_counts_the_time_that_the_machine_is_suspended() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= lease_clock() <= time.clock_gettime(time.CLOCK_BOOTTIME)
