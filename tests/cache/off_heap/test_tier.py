"""What one worker enters, its siblings may read, for as long as that worker answers for it."""

from __future__ import annotations

import pytest

from tests.cache.off_heap.states import ANY, INCARNATION, SMALL, Host, key_of, state
from wsgessions.cache.off_heap import OffHeap, tier
from wsgessions.errors import ConfigError
from wsgessions.record import Seen, SessionKey, SessionRecord, StoredAttributes


def test_a_state_comes_back_as_it_was_entered(host: Host) -> None:
    writer, reader = host.tier(), host.tier()
    host.look(writer, reader)
    for record in (
        state(1, 2**53),
        SessionRecord(key_of(2), INCARNATION, 1, 0, 0, 0, 0, StoredAttributes({})),
        state(3, size=4000),
    ):
        writer.put(record)
        assert writer.get_own(record.key) == record
        assert reader.get_shared(record.key, record.seen) == record
        assert reader.get_own(record.key) is None


def test_each_reading_gives_a_copy_of_its_own(host: Host) -> None:
    """K-11."""
    worker = host.tier()
    worker.put(state(1))
    first, second = worker.get_own(key_of(1)), worker.get_own(key_of(1))
    assert first is not None
    assert second is not None
    assert first.attributes is not second.attributes


def test_a_newer_state_takes_the_place_of_the_older(host: Host) -> None:
    writer, reader = host.tier(), host.tier()
    host.look(writer, reader)
    for version in range(1, 200):
        writer.put(state(1, version, size=version * 7))
        assert reader.get_shared(key_of(1), ANY) == state(1, version, size=version * 7)
        assert len(writer) == 1


def test_what_a_sibling_removes_is_gone_at_once(host: Host) -> None:
    writer, reader = host.tier(), host.tier()
    host.look(writer, reader)
    writer.put(state(1))
    writer.discard(key_of(1).digest)
    writer.discard(key_of(2).digest)
    assert reader.get_shared(key_of(1), ANY) is None
    assert (len(writer), writer.bytes_used) == (0, 0)


def test_a_state_that_is_older_than_the_watermark_or_of_another_incarnation_is_not_given(host: Host) -> None:
    """C-11."""
    writer, reader = host.tier(), host.tier()
    host.look(writer, reader)
    writer.put(state(1, 8))
    assert reader.get_shared(key_of(1), Seen(INCARNATION, 8)) is not None
    assert reader.get_shared(key_of(1), Seen(INCARNATION, 9)) is None
    assert reader.get_shared(key_of(1), Seen(1, 8)) is None


def test_the_sibling_that_has_the_newer_state_is_found(host: Host) -> None:
    workers = [host.tier() for _ in range(4)]
    host.look(*workers)
    for version, worker in enumerate(workers[1:], 1):
        worker.put(state(1, version))
    assert [workers[0].get_shared(key_of(1), Seen(INCARNATION, version)) is not None for version in range(1, 5)] == [
        True,
        True,
        True,
        False,
    ]


def test_a_sibling_is_trusted_only_while_its_lease_is_fresh(host: Host) -> None:
    """C-4, C-5."""
    writer, reader = host.tier(), host.tier()
    host.look(writer, reader)
    writer.put(state(1))
    writer.renew(host.clock.now + 2)
    host.clock.now += 1.999
    assert reader.get_shared(key_of(1), ANY) is not None
    host.clock.now += 0.001
    assert reader.get_shared(key_of(1), ANY) is None
    assert writer.get_own(key_of(1)) == state(1), "its own lease is known to the near cache"
    writer.renew(host.clock.now + 2)
    assert reader.get_shared(key_of(1), ANY) is not None
    writer.renew(0)
    assert reader.get_shared(key_of(1), ANY) is None


def test_nothing_outlives_its_generation(host: Host) -> None:
    """C-1: not even when the same words lead to the same places again."""
    writer, reader = host.tier(), host.tier()
    host.look(writer, reader)
    for number in range(20):
        writer.put(state(number))
    writer.clear()
    writer.renew(host.clock.now + 10)
    assert [
        number for number in range(20) if reader.get_shared(key_of(number), ANY) or writer.get_own(key_of(number))
    ] == []
    assert (len(writer), writer.bytes_used) == (0, 0)
    writer.put(state(7))
    assert reader.get_shared(key_of(7), ANY) == state(7)


def test_generations_without_end_leave_nothing_behind(host: Host) -> None:
    """Words of the table remember 8 bits of their generation."""
    writer, reader = host.tier(), host.tier()
    host.look(writer, reader)
    for generation in range(520):
        for number in range(generation % 5, 300, 10 + generation % 50):
            writer.put(state(number, generation))
            assert reader.get_shared(key_of(number), ANY) == state(number, generation)
        assert len(writer) == sum(writer.get_own(key_of(number)) is not None for number in range(300))
        writer.clear()
        writer.renew(host.clock.now + 10)
        assert not any(reader.get_shared(key_of(number), ANY) for number in range(0, 300, 7))


def test_a_word_from_256_generations_ago_names_nothing(host: Host) -> None:
    worker = host.tier()
    worker.put(state(1))
    for _ in range(256):
        worker.clear()
    worker.put(state(1))
    assert len(worker) == 1
    assert worker.bytes_used > 0


def test_the_lease_ends_with_the_generation(host: Host) -> None:
    writer, reader = host.tier(), host.tier()
    host.look(writer, reader)
    writer.clear()
    writer.put(state(1))
    assert reader.get_shared(key_of(1), ANY) is None


def test_a_state_larger_than_a_tenth_is_removed_instead(host: Host) -> None:
    """F-20."""
    worker = host.tier()
    worker.put(state(1, 1))
    worker.put(state(1, 2, size=SMALL // 10))
    assert worker.get_own(key_of(1)) is None
    assert len(worker) == 0


def test_when_a_bucket_is_full_its_oldest_gives_way(host: Host) -> None:
    worker = host.tier()
    keys = [SessionKey(0, bytes(8) + bytes([0, 0, 0, 0, 0, number, number, number])) for number in range(1, 11)]
    for key in keys:
        worker.put(SessionRecord(key, INCARNATION, 1, 0, 0, 0, 0, StoredAttributes({})))
    assert [worker.get_own(key) is not None for key in keys] == [False] * 2 + [True] * 8
    assert (len(worker), worker.evicted) == (8, 2)


def test_a_session_with_the_same_mark_is_not_taken_for_another(host: Host) -> None:
    writer, reader = host.tier(), host.tier()
    host.look(writer, reader)
    twins = [SessionKey(0, bytes(15) + b"\1"), SessionKey(0, bytes(8) + b"\7" + bytes(6) + b"\1")]
    for one, other in (twins, twins[::-1]):
        writer.put(SessionRecord(one, INCARNATION, 1, 0, 0, 0, 0, StoredAttributes({})))
        assert writer.get_own(one)
        assert reader.get_shared(other, ANY) is None
        assert len(writer) == 1


def test_siblings_are_looked_for_at_most_once_a_second(host: Host) -> None:
    first = host.tier()
    second = host.tier()
    first.renew(host.clock.now + 10)
    assert (first.siblings, second.siblings) == (0, 1)
    host.clock.now += 1
    first.renew(host.clock.now + 10)
    assert first.siblings == 1


def test_no_more_siblings_are_looked_at_than_a_few(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tier, "_MOST_SIBLINGS", 2)
    workers = [host.tier() for _ in range(5)]
    host.look(*workers)
    assert [worker.siblings for worker in workers] == [2] * 5
    for worker in workers:
        worker.close()


def test_two_stores_never_mix(host: Host) -> None:
    one, other = host.tier(identity="valkey://a wsg /"), host.tier(identity="valkey://b wsg /")
    host.look(one, other)
    one.put(state(1))
    assert (one.siblings, other.siblings) == (0, 0)
    assert other.get_shared(key_of(1), ANY) is None


def test_a_file_whose_lease_counts_on_another_clock_is_not_read(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """One from another machine, on a shared file system, or from before a restart of this one."""
    writer = host.tier()
    writer.put(state(1))
    monkeypatch.setattr(tier, "clock_name", lambda: bytes(16))
    reader = host.tier()
    host.look(writer, reader)
    assert (writer.siblings, reader.siblings) == (0, 0)
    assert len(host.files()) == 2


def test_a_closed_tier_leaves_nothing_and_finds_nothing(host: Host) -> None:
    writer, reader = host.tier(), host.tier()
    host.look(writer, reader)
    writer.put(state(1))
    writer.close()
    writer.close()
    assert reader.get_shared(key_of(1), ANY) is None
    assert len(host.files()) == 1
    host.look(writer, reader)
    writer.put(state(1))
    writer.discard(key_of(1).digest)
    writer.clear()
    assert writer.get_own(key_of(1)) is None
    assert (len(writer), writer.bytes_used, writer.evicted, writer.siblings, reader.siblings) == (0, 0, 0, 0, 0)


def test_a_restarted_worker_trusts_nothing_that_was_there_before_it(host: Host) -> None:
    worker = host.tier()
    worker.put(state(1))
    worker.close()
    again = host.tier()
    assert again.get_own(key_of(1)) is None
    assert again.get_shared(key_of(1), ANY) is None


def test_a_limit_under_64_kib_is_refused(host: Host) -> None:
    with pytest.raises(ConfigError, match=r"max_bytes_off_heap.*at least 65536"):
        OffHeap(SMALL - 1, "store", directory=host.base)


@pytest.mark.parametrize("limit", [SMALL, SMALL + 1, 100_000, 5_000_000])
def test_the_file_is_never_larger_than_the_limit(host: Host, limit: int) -> None:
    worker = host.tier(max_bytes=limit)
    for number in range(3 * limit // 4000):
        worker.put(state(number, size=4000))
    [file] = host.files()
    found = file.stat()
    assert limit - 4096 < found.st_size <= limit
    assert found.st_blocks * 512 <= limit
    assert limit // 2 < worker.bytes_used < limit
    assert worker.evicted > 0
