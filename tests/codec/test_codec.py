"""Values come back exactly or are refused by name (R-01 to R-04, S-70 to S-72)."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import math
import pickle
import struct
import sys
import threading
import tracemalloc
from collections import ChainMap, OrderedDict, UserDict, deque, namedtuple
from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.codec.portraits import identical
from wsgessions.codec import MAX_ATTRIBUTE_BYTES, check_name, decode, encode, is_immutable
from wsgessions.codec.limits import MAX_ALIKE, MAX_DEPTH, MAX_INT_BITS, MAX_ITEMS
from wsgessions.codec.scalars import SCALAR_PACKERS
from wsgessions.codec.tags import FROZENSET, MAPPING, SET, UUID_CODE
from wsgessions.errors import CodecError, SessionTooLarge

BERLIN = ZoneInfo("Europe/Berlin")


def packed(value: Any) -> bytes:
    return encode(value, name="cart")


def unpacked(raw: bytes) -> Any:
    return decode(raw, name="cart")


zones = st.one_of(
    st.none(),
    st.just(dt.UTC),
    st.sampled_from([BERLIN, ZoneInfo("UTC"), ZoneInfo("America/St_Johns")]),
    st.builds(dt.timezone, st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23))),
    st.builds(dt.timezone, st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)), st.just("Here")),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.binary(max_size=MAX_INT_BITS // 8).map(lambda raw: int.from_bytes(raw, signed=True)),
    st.sampled_from([2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 2**71, -(2**71)]),
    st.floats(),
    st.text(),
    st.binary(),
    st.decimals(),
    st.uuids(),
    st.dates(),
    st.timedeltas(),
    st.datetimes(timezones=zones),
    st.times(timezones=zones),
)
hashables = st.recursive(
    scalars.filter(lambda value: not (isinstance(value, Decimal) and value.is_snan())),
    lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=3)),
    max_leaves=4,
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.text(), inner, max_size=4),
        st.dictionaries(hashables, inner, max_size=3),
        st.sets(hashables, max_size=3),
        st.frozensets(hashables, max_size=3),
    ),
    max_leaves=12,
)


class TestRoundTrip:
    @given(values)
    def test_every_supported_value_comes_back_identical_and_encodes_to_the_same_bytes(self, value: Any) -> None:
        raw = packed(value)
        back = unpacked(raw)
        assert identical(back, value)
        assert packed(back) == raw

    @pytest.mark.parametrize("value", [-0.0, 0.0, math.inf, -math.inf, 5e-324, 1.1, float(2**53)])
    def test_floats_keep_every_bit(self, value: float) -> None:
        assert struct.pack(">d", unpacked(packed(value))) == struct.pack(">d", value)

    def test_the_payload_of_a_nan_survives(self) -> None:
        bits = bytes.fromhex("7ff8000000001234")
        nan = struct.unpack(">d", bits)[0]
        assert struct.pack(">d", unpacked(packed([nan]))[0]) == bits

    @pytest.mark.parametrize("text", ["1.10", "1E+5", "-0E-7", "NaN123", "sNaN", "-Infinity", "0." + "3" * 2000])
    def test_decimals_keep_exponent_sign_and_kind_whatever_the_context(self, text: str) -> None:
        with localcontext() as context:
            context.capitals, context.prec = 0, 3
            raw = packed(Decimal(text))
            back = unpacked(raw)
        assert str(back) == text
        assert packed(back) == raw

    def test_the_second_half_hour_of_a_clock_change_stays_the_second(self) -> None:
        twice = dt.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1)
        back = unpacked(packed(twice))
        assert back.fold == 1
        assert back.tzinfo is BERLIN
        assert back.utcoffset() == dt.timedelta(hours=1)

    def test_utc_comes_back_as_utc_itself(self) -> None:
        assert unpacked(packed(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))).tzinfo is dt.UTC

    def test_equal_sets_give_equal_bytes_whatever_their_history(self) -> None:
        grown = set(range(1000)) - set(range(8, 1000))
        assert packed(grown) == packed({7, 6, 5, 4, 3, 2, 1, 0})

    def test_the_order_of_a_dict_is_kept(self) -> None:
        assert list(unpacked(packed({"b": 1, "a": 2, 3: 4}))) == ["b", "a", 3]

    def test_one_object_in_two_places_becomes_two_objects(self) -> None:
        shared = [1]
        one, other = unpacked(packed([shared, shared]))
        assert one == other
        assert one is not other

    def test_two_decodings_share_nothing_that_can_change(self) -> None:
        raw = packed({"items": [1]})
        first, second = unpacked(raw), unpacked(raw)
        first["items"].append(2)
        assert second == {"items": [1]}

    @pytest.mark.parametrize(
        ("value", "raw"),
        [
            (5, b"\x05"),
            (-(2**63), b"\xd3\x80\0\0\0\0\0\0\0"),
            (2**64 - 1, b"\xcf" + b"\xff" * 8),
            (1.5, b"\xcb\x3f\xf8\0\0\0\0\0\0"),
            (2.0, b"\xcb\x40\0\0\0\0\0\0\0"),
        ],
    )
    def test_numbers_are_plain_messagepack_for_the_scripts_at_the_store(self, value: float, raw: bytes) -> None:
        assert packed(value) == raw

    def test_a_float_that_a_script_wrote_short_is_read(self) -> None:
        assert unpacked(b"\xca\x3f\xc0\0\0") == 1.5

    def test_messagepacks_own_timestamp_is_read_as_utc(self) -> None:
        assert unpacked(b"\xd6\xff\0\0\0\0") == dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

    @pytest.mark.parametrize(
        ("value", "raw"),
        [
            ((1, "a"), "d6 01 92 01 a1 61"),
            ({2, 1}, "c7 03 02 92 01 02"),
            (frozenset(), "d4 03 90"),
            ({(1,): 2}, "c7 06 04 92 d5 01 91 01 02"),
            (2**64, "c7 09 05 01 00 00 00 00 00 00 00 00"),
            (Decimal("1.0"), "c7 03 06 31 2e 30"),
            (UUID(int=1), "d8 07" + "00" * 15 + "01"),
            (dt.datetime(1, 1, 1, 0, 0, 1), "d7 08 00 00 00 00 00 1e 84 80"),  # noqa: DTZ001 - naive on purpose
            (dt.date(1, 1, 2), "d6 09 00 00 00 02"),
            (dt.time(0, 0, 1, tzinfo=dt.UTC), "c7 11 0a 00 00 00 00 00 1e 84 80 01 00 00 00 00 00 00 00 00"),
            (dt.timedelta(microseconds=-1), "d4 0b ff"),
        ],
    )
    def test_the_stored_form_of_each_code_is_fixed_for_ever(self, value: Any, raw: str) -> None:
        assert packed(value).hex() == raw.replace(" ", "")
        assert identical(unpacked(bytes.fromhex(raw)), value)


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 1


class Unit(enum.StrEnum):
    EACH = "each"


class Text(str):
    __slots__ = ()


@dataclasses.dataclass
class Line:
    sku: str = "a"


class Model(pydantic.BaseModel):
    sku: str = "a"


class Structure(msgspec.Struct):
    sku: str = "a"


class OwnZone(dt.tzinfo):
    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta | None:
        return None if when is None else dt.timedelta(hours=1)

    def dst(self, when: dt.datetime | None) -> None:
        return None

    def tzname(self, when: dt.datetime | None) -> None:
        return None


Point = namedtuple("Point", "x y")  # noqa: PYI024 - the untyped form is what is tested


def numbers() -> Iterator[int]:
    yield 1


async def coroutine() -> None: ...


UNSUPPORTED: dict[str, tuple[Any, str, str]] = {
    "an enum": (Color.RED, "Color", ".value"),
    "a dict in name only": (UserDict(a=1), "collections.UserDict", ".data"),
    "a list in name only": (deque([1]), "collections.deque", "list(value)"),
    "a mapping": (ChainMap({}), "collections.ChainMap", "dict(value)"),
    "a dataclass": (Line(), "Line", "asdict"),
    "a pydantic model": (Model(), "Model", "model_dump"),
    "a msgspec struct": (Structure(), "Structure", "plain data"),
    "a bytearray": (bytearray(b"a"), "bytearray", "bytes(value)"),
    "a memoryview": (memoryview(b"a"), "memoryview", "bytes(value)"),
    "a generator": (numbers(), "generator", "list(value)"),
    "a range": (range(3), "range", "list(value)"),
    "a lock": (threading.Lock(), "lock", "plain data"),
    "a function": (numbers, "function", "plain data"),
    "a class": (Line, "type", "plain data"),
    "a complex number": (1j, "complex", "plain data"),
    "a msgspec extension": (msgspec.msgpack.Ext(5, b"\0"), "msgspec", "plain data"),
    "raw bytes of msgspec": (msgspec.Raw(b"\x01"), "msgspec", "plain data"),
    "a path": (Path("a"), "PosixPath", "plain data"),
    "a zone of one's own": (dt.datetime(2026, 1, 1, tzinfo=OwnZone()), "OwnZone", "ZoneInfo"),
    "a time with a zone of one's own": (dt.time(1, tzinfo=OwnZone()), "OwnZone", "ZoneInfo"),
}

SUBCLASSES: dict[str, tuple[Any, str, str]] = {
    "an int enum": (Level.HIGH, "Level", ".value"),
    "a str enum": (Unit.EACH, "Unit", ".value"),
    "a str subclass": (Text("a"), "Text", "str(value)"),
    "a dict subclass": (OrderedDict(a=1), "collections.OrderedDict", "dict(value)"),
    "a named tuple": (Point(1, 2), "Point", "_asdict"),
    "a scalar of numpy": (type("float64", (float,), {"__module__": "numpy"})(1.0), "numpy.float64", "value.item()"),
}


class TestRefusal:
    @pytest.mark.parametrize("case", UNSUPPORTED)
    @pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [value], lambda value: {"a": (value,)}])
    def test_what_would_not_come_back_is_refused_by_the_name_of_its_type(self, case: str, wrap: Any) -> None:
        value, kind, remedy = UNSUPPORTED[case]
        with pytest.raises(CodecError) as caught:
            packed(wrap(value))
        assert kind in str(caught.value)
        assert remedy in caught.value.hint

    def test_a_forgotten_await_is_recognised(self) -> None:
        pending = coroutine()
        try:
            with pytest.raises(CodecError, match="await it"):
                packed(pending)
        finally:
            pending.close()

    @pytest.mark.parametrize("case", SUBCLASSES)
    @pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [value], lambda value: {"a": (value,)}])
    def test_subclasses_are_refused_by_name_where_only_exact_types_are_accepted(self, case: str, wrap: Any) -> None:
        value, kind, remedy = SUBCLASSES[case]
        with pytest.raises(CodecError) as caught:
            encode(wrap(value), name="cart", to_plain=None)
        assert kind in str(caught.value)
        assert remedy in caught.value.hint

    @pytest.mark.parametrize(
        ("value", "path"),
        [
            ({"items": [1, 2, 3, Color.RED]}, "cart.items[3]"),
            ({"items": {"a": (1, Color.RED)}}, "cart.items.a[1]"),
            ([{Color.RED: 1}], "cart[0]{key}"),
            ({frozenset([Color.RED])}, "cart{}{}"),
            ({1: Color.RED}, "cart[<int>]"),
            ({"someone@example.org": Color.RED}, "cart[<str>]"),
            ({"x" * 41: Color.RED}, "cart[<str>]"),
            (Color.RED, "cart"),
            ({"a": ["\ud800"]}, "cart.a[0]"),
            ({"\ud800": 1}, "cart{key}"),
            ([2 ** (MAX_INT_BITS + 1)], "cart[0]"),
        ],
    )
    def test_the_error_points_inside_and_shows_no_data(self, value: Any, path: str) -> None:
        with pytest.raises(CodecError) as caught:
            packed(value)
        assert caught.value.path == path
        assert "example.org" not in str(caught.value)

    def test_ints_beyond_the_limit_of_digits_are_refused(self) -> None:
        assert unpacked(packed(2**MAX_INT_BITS - 1)) == 2**MAX_INT_BITS - 1
        with pytest.raises(CodecError, match="bits"):
            packed(10**1_000_000)
        with pytest.raises(CodecError, match="characters"):
            packed(Decimal("1" * 2501))

    def test_a_zone_from_a_file_has_no_name_to_store(self) -> None:
        path = next((Path(base) / "Europe" / "Berlin" for base in sys_tzpath()), None)
        if path is None:
            unnamed = ZoneInfo.no_cache("UTC")
            assert unpacked(packed(dt.datetime(2026, 1, 1, tzinfo=unnamed))).tzinfo == ZoneInfo("UTC")
            return
        with path.open("rb") as file:
            zone = ZoneInfo.from_file(file)
        with pytest.raises(CodecError, match="ZoneInfo"):
            packed(dt.datetime(2026, 1, 1, tzinfo=zone))

    def test_nesting_has_a_limit_and_cycles_meet_it(self) -> None:
        deep: Any = []
        for _ in range(MAX_DEPTH - 1):
            deep = [deep]
        assert unpacked(packed(deep)) == deep
        for too_deep in ([deep], (deep,), {"a": deep}, {(): deep}):
            with pytest.raises(CodecError, match="deeper than 32"):
                packed(too_deep)
        cycle: list[Any] = [1]
        cycle.append(cycle)
        with pytest.raises(CodecError, match="contain itself"):
            packed(cycle)

    def test_a_small_object_that_unfolds_into_millions_is_refused(self) -> None:
        bomb: Any = []
        for _ in range(MAX_DEPTH - 2):
            bomb = [bomb, bomb]
        with pytest.raises(CodecError, match="items"):
            packed(bomb)
        with pytest.raises(CodecError, match="items"):
            packed([0] * (MAX_ITEMS + 1))
        assert len(packed([0] * MAX_ITEMS)) == MAX_ITEMS + 5

    def test_a_value_beyond_the_callers_limit_is_named_with_its_size(self) -> None:
        assert encode("x" * 98, name="note", max_bytes=100) == b"\xd9\x62" + b"x" * 98
        with pytest.raises(SessionTooLarge, match=r"'note': it takes 101 bytes, more than the 100"):
            encode("x" * 99, name="note", max_bytes=100)

    def test_a_dict_that_another_thread_changes_meanwhile_is_an_error_of_ours(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        changing: dict[str, Any] = {"a": uuid4(), "b": 1}

        def interrupted(value: UUID) -> bytes:
            changing["c"] = 1
            return value.bytes

        monkeypatch.setitem(SCALAR_PACKERS, UUID, (UUID_CODE, interrupted))
        with pytest.raises(CodecError, match="changed while being encoded"):
            packed(changing)


def sys_tzpath() -> Iterator[str]:
    import zoneinfo

    return (base for base in zoneinfo.TZPATH if (Path(base) / "Europe" / "Berlin").exists())


def nested(levels: int) -> bytes:
    return b"\x91" * levels + b"\xc0"


def nested_tags(levels: int) -> bytes:
    raw = b"\xc0"
    for _ in range(levels):
        raw = b"\xc9" + (len(raw) + 1).to_bytes(4) + b"\x01\x91" + raw
    return raw


def alike(number: int) -> list[Any]:
    """Ints whose hashes are equal, of more bits than MessagePack keeps."""
    return [(16 + index) * sys.hash_info.modulus for index in range(number)]


def as_members(values: list[Any], code: int) -> bytes:
    """What a set, or with its values in between a dict, of these would be stored as."""
    return msgspec.msgpack.encode(msgspec.msgpack.Ext(code, packed(values)))


HOSTILE: dict[str, bytes | Callable[[], bytes]] = {
    "nothing": b"",
    "a byte that means nothing": b"\xc1",
    "a truncated list": b"\x92\x01",
    "trailing bytes": b"\x01\x01",
    "trailing bytes after a dict": packed({"a": 1}) + b"\0",
    "a length beyond the end": b"\xdd\xff\xff\xff\xff\x01",
    "a large truncated list": b"\xdc\x07\xd0" + b"\x90" * 1999,
    "a map as a key": b"\x81\x80\x01",
    "text that is no UTF-8": b"\xa2\xc3\x28",
    "33 levels": nested(33),
    "500 levels": nested(500),
    "5 MB of levels": nested(5 << 20),
    "1 MB of levels": nested(1 << 20),
    "33 levels of tuples": nested_tags(33),
    "2000 levels of tuples": nested_tags(2000),
    "5 MB of empty lists": b"\xdd\x00\x50\x00\x00" + b"\x90" * 0x500000,
    "1 MB of empty lists": b"\xdd\x00\x10\x00\x00" + b"\x90" * 0x100000,
    "4 MB of nothing": b"\xdd\x00\x3f\x00\x00" + b"\xc0" * 0x3F0000,
    "duplicate keys": b"\x82\xa1a\x01\xa1a\x02",
    "duplicate keys, deep": b"\x91\x91\x82\xa1a\x01\xa1a\x02",
    "keys that are equal": b"\x82\x01\x01\xc3\x02",
    "duplicate keys beside a tuple": packed((1,))[:3] + b"\x91\x01" + b"\0",
    "duplicate keys in a tagged dict": b"\xc7\x05\x04\x94\x01\x01\x01\x02",
    "a tagged dict without its last value": b"\xc7\x05\x04\x93\x01\x01\x02",
    "a tagged dict with a list as its key": b"\xc7\x04\x04\x92\x90\x01",
    "duplicates in a set": b"\xc7\x03\x02\x92\x01\x01",
    "a list in a set": b"\xd5\x02\x91\x90",
    "a tuple that is no array": b"\xd4\x01\x01",
    "a tuple of nothing": b"\xc7\x00\x01",
    "an int of 10^6 digits": b"\xc9" + (415_242).to_bytes(4) + b"\x05" + b"\x7f" * 415_242,
    "a large int that is small": b"\xd4\x05\x01",
    "a large int with leading zeros": b"\xc7\x0a\x05\x00" + b"\x01" + b"\0" * 8,
    "a Decimal that is none": b"\xd6\x06abcd",
    "a Decimal in other letters": b"\xd6\x06+1.0",
    "a Decimal beyond the limit": b"\xc8\x0b\xb8\x06" + b"1" * 3000,
    "a UUID too short": b"\xd4\x07\x01",
    "a date beyond the calendar": b"\xd6\x09\xff\xff\xff\xff",
    "a date too short": b"\xd4\x09\x01",
    "a datetime beyond the calendar": b"\xd7\x08" + b"\xff" * 8,
    "a datetime too short": b"\xd4\x08\x01",
    "a time beyond midnight": b"\xd7\x0a" + (2 * 86_400_000_000).to_bytes(8),
    "a zone of no kind": b"\xc7\x09\x08" + b"\0" * 8 + b"\x09",
    "a zone cut short": b"\xc7\x0a\x08" + b"\0" * 8 + b"\x01\x01",
    "a zone beyond a day": b"\xc7\x11\x08" + b"\0" * 8 + b"\x01" + b"\x7f" * 8,
    "a zone that nobody knows": b"\xc7\x0d\x08" + b"\0" * 8 + b"\x03Nope",
    "a zone that is a path": b"\xc7\x15\x08" + b"\0" * 8 + b"\x03/etc/passwd",
    "a zone that climbs": b"\xc7\x0e\x08" + b"\0" * 8 + b"\x03../..",
    "a duration beyond the limit": b"\xd8\x0b" + b"\x7f" * 16,
    "a set of equal hashes": lambda: as_members(alike(20_000), SET),
    "a frozenset of equal hashes": lambda: as_members([(each, 1) for each in alike(20_000)], FROZENSET),
    "a set of UUIDs of equal hashes": lambda: as_members([UUID(int=each) for each in alike(20_000)], SET),
    "a dict of equal hashes": lambda: as_members([part for each in alike(20_000) for part in (each, 0)], MAPPING),
    "a plain dict of equal hashes": lambda: b"\xde\x4e\x20" + b"".join(packed(each) + b"\0" for each in alike(20_000)),
    "a plain dict of tuples": lambda: (
        b"\xde\x4e\x20" + b"".join(b"\x91" + packed(each) + b"\0" for each in range(20_000))
    ),
    "a pickle": pickle.dumps({"a": 1}),
    "YAML with a tag": b"!!python/object/apply:os.system ['true']",
    "JSON": b'{"a": 1}',
}


def hostile(case: str) -> bytes:
    """The bytes of a case; large ones are made when they are needed, since each worker collects all tests."""
    raw = HOSTILE[case]
    return raw if isinstance(raw, bytes) else raw()


class TestStoredBytes:
    @pytest.mark.parametrize("case", HOSTILE)
    def test_corrupt_foreign_or_hostile_bytes_are_an_error_of_that_attribute(self, case: str) -> None:
        with pytest.raises(CodecError) as caught:
            unpacked(hostile(case))
        assert caught.value.path == "cart"

    @pytest.mark.parametrize("case", HOSTILE)
    def test_refusing_costs_less_than_20_megabytes(self, case: str) -> None:
        raw = hostile(case)
        tracemalloc.start()
        try:
            with pytest.raises(CodecError):
                unpacked(raw)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 20_000_000

    def test_an_unknown_code_tells_that_a_later_release_wrote_it(self) -> None:
        with pytest.raises(CodecError, match=r"extension code 100, .*upgrade"):
            unpacked(b"\x91\xd4\x64\x01")

    @given(st.binary(max_size=60))
    def test_random_bytes_decode_or_fail_as_a_codec_error_and_nothing_else(self, raw: bytes) -> None:
        try:
            value = unpacked(raw)
        except CodecError:
            return
        assert identical(unpacked(packed(value)), value)

    @given(values, st.data())
    def test_a_flipped_byte_never_leads_to_anything_but_a_value_or_a_codec_error(
        self, value: Any, data: st.DataObject
    ) -> None:
        raw = bytearray(packed(value))
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
        try:
            unpacked(bytes(raw))
        except CodecError as error:
            assert error.path == "cart"  # noqa: PT017 - a changed byte may as well give another value

    @given(values, st.data())
    def test_truncated_bytes_are_refused(self, value: Any, data: st.DataObject) -> None:
        raw = packed(value)
        with pytest.raises(CodecError):
            unpacked(raw[: data.draw(st.integers(0, len(raw) - 1))])

    def test_a_pickle_bomb_has_no_effect(self, tmp_path: Path) -> None:
        trace = tmp_path / "exploded"

        class Bomb:
            def __reduce__(self) -> tuple[Any, ...]:
                return Path.touch, (trace,)

        with pytest.raises(CodecError):
            unpacked(pickle.dumps(Bomb()))
        assert not trace.exists()

    def test_a_raised_recursion_limit_does_not_let_hostile_bytes_crash_a_small_thread(self) -> None:
        outcome: list[Exception] = []

        def attack() -> None:
            for raw in (nested(100_000), nested(1001), nested_tags(400)):
                try:
                    unpacked(raw)
                except CodecError as error:
                    outcome.append(error)

        limit, size = sys.getrecursionlimit(), threading.stack_size(512 * 1024)
        sys.setrecursionlimit(1_000_000)
        try:
            thread = threading.Thread(target=attack)
            thread.start()
            thread.join()
        finally:
            sys.setrecursionlimit(limit)
            threading.stack_size(size)
        assert len(outcome) == 3

    def test_what_can_be_stored_of_equal_hashes_can_be_read(self) -> None:
        """S-72, R-02."""
        most: list[Any] = [set(alike(MAX_ALIKE)), frozenset(alike(MAX_ALIKE)), dict.fromkeys(alike(MAX_ALIKE))]
        for value in most:
            assert unpacked(packed(value)) == value

    @pytest.mark.parametrize("kind", [set, frozenset, dict.fromkeys])
    def test_more_of_equal_hashes_is_refused_when_it_is_put_in(self, kind: Callable[[list[Any]], Any]) -> None:
        """S-72: else it could be stored and not be read."""
        with pytest.raises(CodecError, match=r"cart\.inside.*equal hashes.*use a list"):
            packed({"inside": kind(alike(MAX_ALIKE + 1))})

    def test_numbers_that_messagepack_keeps_are_never_too_much_alike(self) -> None:
        ints = range(-(2**63) // sys.hash_info.modulus, 2**64 // sys.hash_info.modulus + 1)
        numbers = [1 + index * sys.hash_info.modulus for index in ints]
        floats = [2.0**power for power in range(-1074, 1024) if power % 61 == 0]
        assert len({*numbers, *floats}) < MAX_ALIKE
        assert set(map(hash, floats)) == {1}

    def test_large_honest_values_pass_the_exact_scan(self) -> None:
        many: list[Any] = [{"sku": str(index), "tags": ("a", {index})} for index in range(2000)]
        assert unpacked(packed(many)) == many
        text = "Привет, мир! " * 30_000
        assert unpacked(packed([text, text.encode(), {1.5: 2**70}])) == [text, text.encode(), {1.5: 2**70}]
        assert len(packed("x" * (MAX_ATTRIBUTE_BYTES - 5))) == MAX_ATTRIBUTE_BYTES

    def test_every_token_of_messagepack_is_known_to_the_exact_scan(self) -> None:
        tokens = [None, True, -1, 200, 70_000, 2**40, -200, -70_000, -(2**40), 1.5, "x" * 40, "x" * 300, "x" * 70_000]
        raws = [b"x" * 10, b"x" * 300, b"x" * 70_000]
        spread = [
            list(range(20)),
            {str(key): key for key in range(20)},
            2**64,
            Decimal(1),
            uuid4(),
            dt.timedelta(days=1),
        ]
        wide = [[0] * 70_000, dict.fromkeys(range(70_000))]
        value = [*tokens, *raws, *spread, *wide, b"\x91" * 1100, Decimal("1" * 300)]
        assert unpacked(packed(value)) == value


class TestNames:
    @pytest.mark.parametrize(
        "name", ["a", "cart", "_auth_user_id", "__flashes__", "x" * 256, "ü" * 128, "a\r\n\0{}*?]"]
    )
    def test_any_text_up_to_256_bytes_may_be_a_name(self, name: str) -> None:
        assert check_name(name) == name

    @pytest.mark.parametrize("name", [Unit.EACH, Text("each")])
    def test_a_name_of_a_subclass_of_str_is_its_text(self, name: str) -> None:
        assert type(check_name(name)) is str
        assert check_name(name) == "each"

    @pytest.mark.parametrize("name", ["", 5, None, b"cart", ("a",), Level.HIGH, "_wsg", Text("_wsg"), "a\ud800"])
    def test_other_names_are_refused(self, name: object) -> None:
        with pytest.raises(CodecError):
            check_name(name)

    @pytest.mark.parametrize("name", ["x" * 257, "ü" * 129])
    def test_longer_names_are_too_large(self, name: str) -> None:
        with pytest.raises(SessionTooLarge, match="256 bytes"):
            check_name(name)


class TestImmutability:
    @pytest.mark.parametrize(
        "value", [None, True, 1, 1.5, "a", b"a", Decimal(1), uuid4(), dt.date.max, (), (1, ("a",)), frozenset([(1,)])]
    )
    def test_values_that_cannot_change_are_known(self, value: Any) -> None:
        assert is_immutable(value)

    @pytest.mark.parametrize("value", [[], {}, set(), ([],), (1, (2, [3])), Color.RED, Line(), bytearray()])
    def test_values_that_can_change_or_cannot_be_stored_are_not(self, value: Any) -> None:
        assert not is_immutable(value)

    def test_a_tuple_nested_without_end_is_taken_as_changeable(self) -> None:
        deep: tuple[Any, ...] = ()
        for _ in range(5000):
            deep = (deep,)
        assert not is_immutable(deep)
