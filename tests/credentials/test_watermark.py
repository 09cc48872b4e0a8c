"""The watermark, and the move in its place: authenticated, and unknown whenever anything is odd (C-11, C-23)."""

from __future__ import annotations

import base64
import struct
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgessions.credentials.watermark import WATERMARK_LENGTH, Watermark, WatermarkSeal
from wsgessions.record import SessionKey

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
SEAL = WatermarkSeal([KEY], node=7)

numbers = st.integers(0, 2**64 - 1)


@given(numbers, numbers)
def test_what_was_sealed_is_read_back(incarnation: int, version: int) -> None:
    value = SEAL.seal(incarnation, version)
    assert len(value) == WATERMARK_LENGTH
    assert SEAL.unseal(value) == Watermark(incarnation, version, 7)


@given(numbers, numbers, st.integers(0, WATERMARK_LENGTH - 1), st.integers(0, 7))
def test_any_flipped_bit_makes_it_unknown(incarnation: int, version: int, position: int, bit: int) -> None:
    value = SEAL.seal(incarnation, version)
    flipped = value[:position] + chr(ord(value[position]) ^ (1 << bit)) + value[position + 1 :]
    assert SEAL.unseal(flipped) is None


@given(numbers, numbers, st.integers(0, 287))
def test_any_flipped_bit_of_its_content_makes_it_unknown(incarnation: int, version: int, bit: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(SEAL.seal(incarnation, version)))
    raw[bit // 8] ^= 1 << bit % 8
    assert SEAL.unseal(base64.urlsafe_b64encode(raw).decode()) is None


@given(st.text(max_size=60) | st.text(min_size=48, max_size=48) | st.text("AZaz09-_=+/", min_size=48, max_size=48))
def test_no_text_is_ever_an_error(text: str) -> None:
    assert SEAL.unseal(text) is None


@pytest.mark.parametrize("length", [0, 1, 47, 49, 96])
def test_other_lengths_are_unknown(length: int) -> None:
    value = (SEAL.seal(1, 2) * 3)[:length]
    assert SEAL.unseal(value) is None


def test_a_watermark_of_another_key_is_unknown() -> None:
    assert WatermarkSeal([OTHER_KEY]).unseal(SEAL.seal(1, 2)) is None


def test_the_first_key_of_a_ring_signs_and_all_of_them_verify() -> None:
    """S-77: a key can be rolled node by node."""
    old, new = WatermarkSeal([KEY], node=1), WatermarkSeal([OTHER_KEY, KEY], node=2)
    assert new.unseal(old.seal(3, 4)) == Watermark(3, 4, 1)
    assert old.unseal(new.seal(3, 4)) is None
    assert WatermarkSeal([OTHER_KEY]).unseal(new.seal(3, 4)) == Watermark(3, 4, 2)


def test_a_watermark_of_another_format_is_unknown() -> None:
    """A later release may use another format under the same key."""
    raw = bytearray(base64.urlsafe_b64decode(SEAL.seal(1, 2)))
    raw[0] = 2
    assert SEAL.unseal(base64.urlsafe_b64encode(raw).decode()) is None


def test_the_key_itself_signs_nothing() -> None:
    """Other uses of the same secret learn nothing: the key that signs is derived for this purpose."""
    import hashlib

    body = base64.urlsafe_b64decode(SEAL.seal(1, 2))[:20]
    assert hashlib.blake2b(body, digest_size=16, key=KEY).digest() not in base64.urlsafe_b64decode(SEAL.seal(1, 2))


def test_each_process_draws_its_own_node_hint() -> None:
    """C-14."""
    hints = {WatermarkSeal([KEY]).node for _ in range(50)}
    assert len(hints) > 40
    assert all(struct.pack(">H", hint) for hint in hints)


# -- where a session may have moved (C-23) -----------------------------------------------------------------------------

SEALED_LENGTH = 24
"""Characters of a move before the new id."""
keys = st.builds(SessionKey, st.just(5), st.binary(min_size=16, max_size=16))
ids = st.text(ascii_letters + digits + "-_", min_size=24, max_size=86)
OLD, NEW = SessionKey(5, bytes(range(16))), "n" * 43


@given(keys, ids)
def test_a_move_leads_from_the_old_key_to_the_new_id(old: SessionKey, new: str) -> None:
    value = SEAL.seal_move(old, new)
    assert len(value) == SEALED_LENGTH + len(new)
    assert SEAL.unseal_move(value, old) == new


@given(keys, ids, keys)
def test_a_move_leads_nowhere_from_another_key(old: SessionKey, new: str, other: SessionKey) -> None:
    """S-06: whoever knows the cookie of one session is led to no session by the id of another."""
    if other != old:
        assert SEAL.unseal_move(SEAL.seal_move(old, new), other) is None


@given(keys, ids, st.integers(0, 18 * 8 - 1))
def test_any_flipped_bit_of_a_move_makes_it_lead_nowhere(old: SessionKey, new: str, bit: int) -> None:
    value = SEAL.seal_move(old, new)
    raw = bytearray(base64.urlsafe_b64decode(value[:SEALED_LENGTH]))
    raw[bit // 8] ^= 1 << bit % 8
    assert SEAL.unseal_move(base64.urlsafe_b64encode(raw).decode() + value[SEALED_LENGTH:], old) is None


@given(keys, ids, ids)
def test_a_move_leads_to_no_id_but_its_own(old: SessionKey, new: str, other: str) -> None:
    if other != new:
        assert SEAL.unseal_move(SEAL.seal_move(old, new)[:SEALED_LENGTH] + other, old) is None


@given(st.text(max_size=120) | st.text("AZaz09-_=+/", min_size=67, max_size=67))
def test_no_text_in_the_place_of_a_move_is_ever_an_error(text: str) -> None:
    assert SEAL.unseal_move(text, OLD) is None


@pytest.mark.parametrize("length", [0, 1, 23, 24, 47, 66, 68, 134])
def test_a_move_that_was_cut_or_lengthened_leads_nowhere(length: int) -> None:
    value = (SEAL.seal_move(OLD, NEW) * 3)[:length]
    assert SEAL.unseal_move(value, OLD) is None


def test_a_move_of_another_key_of_ours_leads_nowhere() -> None:
    assert WatermarkSeal([OTHER_KEY]).unseal_move(SEAL.seal_move(OLD, NEW), OLD) is None


def test_all_keys_of_a_ring_verify_a_move() -> None:
    """S-77."""
    both = WatermarkSeal([OTHER_KEY, KEY])
    assert both.unseal_move(SEAL.seal_move(OLD, NEW), OLD) == NEW
    assert SEAL.unseal_move(both.seal_move(OLD, NEW), OLD) is None


def test_a_watermark_is_no_move_and_a_move_no_watermark() -> None:
    assert SEAL.unseal_move(SEAL.seal(1, 2), OLD) is None
    assert SEAL.unseal(SEAL.seal_move(OLD, NEW)) is None
    assert SEAL.unseal(SEAL.seal_move(OLD, "n" * 24)) is None


def test_a_move_does_not_show_the_old_key() -> None:
    """S-08."""
    assert OLD.digest not in base64.urlsafe_b64decode(SEAL.seal_move(OLD, NEW)[:SEALED_LENGTH])
