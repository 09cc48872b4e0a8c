"""Segments are spread evenly, and their names never change (E-1, C-7)."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgessions.credentials.identity import Identity, new_session_id, successor_id
from wsgessions.record import SessionKey
from wsgessions.stores.valkey.format.segments import MAX_CONCURRENCY, SLOTS, Segments, slot, tags

POWERS = [1 << power for power in range(13)]


@pytest.mark.parametrize("concurrency", [*POWERS, 3, 100, 1000])
def test_each_equal_range_of_slots_has_one_tag(concurrency: int) -> None:
    found = tags(concurrency)
    assert len(found) == len(set(found)) == concurrency
    assert [slot(tag) * concurrency // SLOTS for tag in found] == list(range(concurrency))


def test_tags_are_short() -> None:
    assert max(map(len, tags(64))) == 2
    assert max(map(len, tags(256))) == 2
    assert max(map(len, tags(MAX_CONCURRENCY))) == 3


def test_shards_of_any_usual_number_share_the_segments_evenly() -> None:
    for shards in (2, 3, 4, 5, 6, 8):
        loads = Counter(slot(tag) * shards // SLOTS for tag in tags(256))
        assert max(loads.values()) - min(loads.values()) <= 1


def test_the_tags_are_those_of_every_release() -> None:
    """Sessions stored by one release are found by the next only if the tags stay."""
    digests = {n: hashlib.sha256(",".join(tags(n)).encode()).hexdigest()[:16] for n in (16, 64, 256, 4096)}
    assert digests == {
        16: "0df3e6dd12d55bee",
        64: "b7c0cf8f81f35f81",
        256: "87fb6563902fac92",
        4096: "b9aeecfe669ed224",
    }


def test_slots_are_those_of_a_cluster() -> None:
    """The check value of CRC-16/XMODEM, which the cluster specification gives too."""
    assert slot("123456789") == 0x31C3


def test_a_session_and_its_successors_stay_in_one_segment() -> None:
    """E-10."""
    identity, segments = Identity("wsg", "/"), Segments("wsg", "/", 64)
    for _ in range(100):
        session_id = new_session_id()
        assert segments.of(identity.key(session_id)) == segments.of(identity.key(successor_id(session_id)))


@given(prefix=st.integers(0, 4095), power=st.integers(0, 12))
def test_the_first_bits_of_the_id_choose_the_segment(prefix: int, power: int) -> None:
    key = SessionKey(prefix, secrets.token_bytes(16))
    segments = Segments("wsg", "/shop", 1 << power)
    chosen = segments.of(key)
    assert chosen == list(segments)[prefix % (1 << power)]
    assert chosen.record(key).startswith(b"wsg:")
    assert chosen.record(key).endswith(b"}:s:" + key.digest)
    assert chosen.expiries.endswith(b"}:x")


def test_the_keys_of_two_applications_or_namespaces_never_meet() -> None:
    """S-12, S-90."""
    key = SessionKey(7, bytes(16))
    names = {
        Segments(namespace, context, 64).of(key).record(key)
        for namespace in ("wsg", "other")
        for context in ("/", "/a", "/a/b", "")
    }
    assert len(names) == 8
