"""Names are shared between sessions, as far as they are few."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from unittest import mock

import pytest

from wsgessions.record import names as attribute_names
from wsgessions.record.names import MOST_NAMES, bytes_of_own, field_of, shared_name


@pytest.fixture(autouse=True)
def _empty_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    tables: Any = (attribute_names._by_field, attribute_names._names, attribute_names._fields)
    with ExitStack() as stack:
        for table in tables:
            stack.enter_context(mock.patch.dict(table, clear=True))
        yield


@pytest.mark.parametrize("name", ["cart", "user.name", "größe", "x" * 60])
def test_a_name_is_one_object_for_all_sessions(name: str) -> None:
    field = b"a" + name.encode()
    assert shared_name(field) == name
    assert shared_name(field) is shared_name(bytes(field))


def test_a_long_name_is_not_shared() -> None:
    field = b"a" + bytes(100)
    assert shared_name(field) == "\0" * 100
    assert shared_name(field) is not shared_name(field)


def test_a_name_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(UnicodeDecodeError):
        shared_name(b"a\xff")


@pytest.mark.parametrize("field", [b"", b"m", b"xcart", b"cart"])
def test_a_field_that_keeps_no_attribute_is_refused_and_renames_none(field: bytes) -> None:
    """S-89. The table holds for all sessions of the process: what a damaged reply names must not change it."""
    with pytest.raises(ValueError, match="no field of an attribute"):
        shared_name(field)
    assert field_of(field[1:].decode()) == b"a" + field[1:]


def test_no_more_names_are_shared_than_fit_the_table() -> None:
    fields = [b"a%d" % number for number in range(MOST_NAMES + 1)]
    first, again = list(map(shared_name, fields)), list(map(shared_name, fields))
    assert first == again
    assert [one is other for one, other in zip(first, again, strict=True)] == [True] * MOST_NAMES + [False]


def test_a_shared_name_costs_nothing_and_another_its_size() -> None:
    shared, own = shared_name(b"acart"), shared_name(b"a" + b"long" * 50)
    assert bytes_of_own([shared]) == 0
    assert bytes_of_own([shared, own]) == sys.getsizeof(own)
    assert bytes_of_own({own: 1}) == sys.getsizeof(own)
