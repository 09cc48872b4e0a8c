"""Session ids and the store keys made from them."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgessions.credentials.identity import (
    ID_LENGTH,
    MAX_ID_LENGTH,
    MIN_ID_LENGTH,
    Identity,
    is_well_formed,
    new_session_id,
    successor_id,
)

SHAPE = re.compile(r"[A-Za-z0-9_-]{43}")
SAMPLE = 100_000

session_ids = st.from_regex(SHAPE, fullmatch=True)
parts = st.text(max_size=12)


@pytest.fixture(scope="module")
def many_ids() -> list[str]:
    return [new_session_id() for _ in range(SAMPLE)]


def test_ids_are_unique_and_have_one_shape(many_ids: list[str]) -> None:
    """S-01, S-02: same length for everybody, nothing but the alphabet."""
    assert len(set(many_ids)) == SAMPLE
    assert all(SHAPE.fullmatch(each) for each in many_ids)


def test_every_character_is_equally_likely_at_every_position(many_ids: list[str]) -> None:
    """S-01. Chi-square over 64 symbols; the bound is passed by chance once in ten million runs."""
    expected = SAMPLE / 64
    for position in range(ID_LENGTH):
        counts = Counter(each[position] for each in many_ids)
        chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
        assert len(counts) == 64
        assert chi_square < 63 + 9 * 126**0.5, f"position {position}"


def test_no_bit_is_biased(many_ids: list[str]) -> None:
    """S-01. Half a percent is more than six standard deviations of this sample."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    values = [alphabet.index(each[7]) for each in many_ids] + [alphabet.index(each[-1]) for each in many_ids]
    for bit in range(6):
        share = sum(value >> bit & 1 for value in values) / len(values)
        assert abs(share - 0.5) < 0.01


def test_two_ids_share_no_structure(many_ids: list[str]) -> None:
    """S-02: ids drawn one after the other agree as often as chance has it, and carry no counter or time."""
    agreements = sum(a == b for one, other in pairwise(many_ids) for a, b in zip(one, other, strict=True))
    pairs = (SAMPLE - 1) * ID_LENGTH
    assert abs(agreements / pairs - 1 / 64) < 0.001


@pytest.mark.parametrize(
    "value",
    [
        "",
        "A" * 42,
        "A" * 44,
        "A" * 10_000,
        "../" + "A" * 40,
        "%2e%2e%2f" + "A" * 34,
        "A" * 42 + "\0",
        "\0" + "A" * 42,
        "A" * 21 + "\n" + "A" * 21,
        "A" * 43 + "\n",
        "A" * 42 + "\n",
        "\u0410" * 43,  # the Cyrillic look-alike
        "A" * 42 + "\u017f",  # upper() of it is S
        "\u212a" * 43,  # the Kelvin sign
        "٣" * 43,
        "\r\n*1\r\n" + "A" * 37,
        "A" * 42 + "=",
        "A" * 42 + "+",
        "A" * 42 + "/",
        "A" * 42 + " ",
        '"' + "A" * 41 + '"',
    ],
)
def test_what_is_no_id_is_recognised(value: str) -> None:
    """S-04."""
    assert not is_well_formed(value)


@given(session_ids)
def test_what_has_the_shape_of_an_id_is_well_formed(session_id: str) -> None:
    assert is_well_formed(session_id)


@given(session_ids)
def test_a_successor_stays_in_the_segment_and_is_new_otherwise(session_id: str) -> None:
    """E-10: the first 12 bits survive, the other 246 are drawn anew."""
    identity = Identity("wsg", "/")
    successor = successor_id(session_id)
    assert is_well_formed(successor)
    assert successor[:2] == session_id[:2]
    assert successor[2:] != session_id[2:]
    assert identity.key(successor).prefix == identity.key(session_id).prefix
    assert identity.key(successor).digest != identity.key(session_id).digest


@pytest.mark.parametrize("length", range(MIN_ID_LENGTH, MAX_ID_LENGTH + 1))
def test_ids_of_every_length_are_random_up_to_their_last_character(length: int) -> None:
    """S-01: and a successor has the same length, with 128 fresh bits at least."""
    ids = [new_session_id(length) for _ in range(600)]
    successors = [successor_id(each) for each in ids]
    assert all(is_well_formed(each, length) for each in (*ids, *successors))
    assert not is_well_formed(ids[0], length + 1)
    assert len({each[-1] for each in ids}) > 48
    assert len({each[-1] for each in successors}) > 48
    assert (length - 2) * 6 >= 128


@given(session_ids)
def test_a_key_is_a_digest_that_shows_nothing_of_the_id(session_id: str) -> None:
    """S-08."""
    key = Identity("wsg", "/").key(session_id)
    assert len(key.digest) == 16
    assert session_id.encode() not in key.digest
    assert key == Identity("wsg", "/").key(session_id)


@given(session_ids)
def test_a_pepper_makes_the_digest_a_keyed_one(session_id: str) -> None:
    """S-08: HMAC-SHA256 (RFC 2104) over the same length-delimited input; C-7: plain SHA-256 without."""
    text = b"".join(len(part).to_bytes(4) + part for part in (b"wsg", b"/", session_id.encode()))
    plain, peppered = Identity("wsg", "/").key(session_id), Identity("wsg", "/", pepper=b"p" * 32).key(session_id)
    assert plain.digest == hashlib.sha256(text).digest()[:16]
    assert peppered.digest == hmac.digest(b"p" * 32, text, "sha256")[:16]
    assert peppered.digest != Identity("wsg", "/", pepper=b"q" * 32).key(session_id).digest
    assert peppered.prefix == plain.prefix


@pytest.mark.parametrize("length", range(MIN_ID_LENGTH, MAX_ID_LENGTH + 1))
def test_ids_may_have_other_lengths(length: int) -> None:
    """S-01: and an id of one length is none where another is set."""
    session_id = new_session_id(length)
    successor = successor_id(session_id)
    for each in (session_id, successor):
        assert len(each) == length
        assert is_well_formed(each, length)
        assert not is_well_formed(each, length + 1)
    assert len(Identity("wsg", "/").key(session_id).digest) == 16


def test_the_last_character_is_as_random_as_the_others_at_any_length() -> None:
    """S-01: none of its bits is padding."""
    for length in range(MIN_ID_LENGTH, MIN_ID_LENGTH + 4):
        assert len({new_session_id(length)[-1] for _ in range(5000)}) == 64


def test_the_shortest_id_keeps_128_fresh_bits_when_it_is_rotated() -> None:
    """S-01."""
    assert (MIN_ID_LENGTH - 2) * 6 >= 128


def test_a_pepper_makes_other_keys_in_the_same_segment() -> None:
    """S-08: whoever has the store and an id still does not find its record without the pepper."""
    session_id = new_session_id()
    plain = Identity("wsg", "/").key(session_id)
    one = Identity("wsg", "/", pepper=b"p" * 32).key(session_id)
    other = Identity("wsg", "/", pepper=b"q" * 32).key(session_id)
    assert len({plain.digest, one.digest, other.digest}) == 3
    assert plain.prefix == one.prefix == other.prefix
    assert one == Identity("wsg", "/", pepper=b"p" * 32).key(session_id)


def test_the_first_two_characters_are_the_prefix() -> None:
    """S-01, E-1: 12 bits, all values reachable."""
    identity = Identity("wsg", "/")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    prefixes = [identity.key(a + b + "A" * 41).prefix for a, b in product(alphabet, alphabet)]
    assert prefixes == list(range(4096))


def test_a_ref_is_the_prefix_and_the_beginning_of_the_digest() -> None:
    """S-80."""
    key = Identity("wsg", "/").key(new_session_id())
    assert re.fullmatch(r"[0-9a-f]{12}", key.ref)
    assert int(key.ref[:3], 16) == key.prefix
    assert key.digest.hex().startswith(key.ref[3:])


def test_one_id_means_different_sessions_in_different_applications() -> None:
    """S-12."""
    session_id = new_session_id()
    homes = [("wsg", "/"), ("wsg", "/shop"), ("other", "/"), ("a", "b:c"), ("a:b", "c"), ("", "a:b:c")]
    assert len({Identity(*home).key(session_id).digest for home in homes}) == len(homes)


@given(st.tuples(parts, parts), st.tuples(parts, parts))
def test_no_two_homes_ever_share_a_key(one: tuple[str, str], other: tuple[str, str]) -> None:
    """S-12, S-212: namespace and context enter length-delimited."""
    session_id = "A" * ID_LENGTH
    same = Identity(*one).key(session_id) == Identity(*other).key(session_id)
    assert same == (one == other)
