"""A record's bytes are used as a whole, unharmed, and for the session they were written for, or not at all."""

from __future__ import annotations

import pytest

from tests.cache.off_heap.states import key_of, state
from wsgessions.cache.off_heap.layout import pack, unpack

RECORD = state(1, 7, size=40)
DATA = pack(RECORD, 3)


def test_a_record_is_read_back_as_it_was_written() -> None:
    assert unpack(DATA, RECORD.key, 3) == RECORD


@pytest.mark.parametrize("bit", range(8))
def test_one_wrong_bit_anywhere_is_noticed(bit: int) -> None:
    for at in range(len(DATA)):
        harmed = bytearray(DATA)
        harmed[at] ^= 1 << bit
        assert unpack(bytes(harmed), RECORD.key, 3) is None


def test_a_record_that_is_half_another_is_noticed_wherever_it_is_torn() -> None:
    """As another processor may see it while it is being overwritten."""
    newer = pack(state(1, 8, size=40), 3)
    assert len(newer) == len(DATA)
    for at in range(1, len(DATA)):
        for torn in (DATA[:at] + newer[at:], newer[:at] + DATA[at:]):
            assert torn in (DATA, newer) or unpack(torn, RECORD.key, 3) is None


def test_a_piece_of_a_record_is_none() -> None:
    for size in range(len(DATA)):
        assert unpack(DATA[:size], RECORD.key, 3) is None
        assert unpack(DATA[size + 1 :], RECORD.key, 3) is None


def test_a_record_of_another_session_or_generation_is_none() -> None:
    assert unpack(DATA, key_of(2), 3) is None
    assert unpack(DATA, RECORD.key, 4) is None
