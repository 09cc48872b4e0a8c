"""Values of subclasses are stored as the built-in values that they are (R-02)."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.codec.portraits import identical
from tests.codec.test_codec import values
from wsgessions.codec import decode, encode, is_immutable
from wsgessions.codec.limits import MAX_ALIKE, MAX_DEPTH, MAX_ITEMS
from wsgessions.errors import CodecError


def packed(value: Any, **options: Any) -> bytes:
    return encode(value, name="cart", **options)


def stored(value: Any, **options: Any) -> Any:
    return decode(packed(value, **options), name="cart")


class Text(str):
    """Says something else than it holds, by every method that could be asked."""

    __slots__ = ()

    def __str__(self) -> str:
        return "lie"

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        return iter("lie")

    def encode(self, *_: Any) -> bytes:
        return b"lie"

    def isascii(self) -> bool:
        return True


class Whole(int):
    def __int__(self) -> int:
        return 99

    def __index__(self) -> int:
        return 99

    def bit_length(self) -> int:
        return 1

    def to_bytes(self, *_: Any, **__: Any) -> bytes:
        return b"c"


class Real(float):
    def __float__(self) -> float:
        return 99.0


class Octets(bytes):
    def __bytes__(self) -> bytes:
        return b"lie"

    def __getitem__(self, _: Any) -> Any:
        return b"lie"


class Exact(Decimal):
    def __str__(self) -> str:
        return "99"


class Id(UUID):
    def __str__(self) -> str:
        return "lie"


class Instant(dt.datetime):
    @property
    def year(self) -> int:
        return 1

    def replace(self, *_: Any, **__: Any) -> Any:
        raise AssertionError


class Day(dt.date):
    def toordinal(self) -> int:
        return 1


class Hour(dt.time):
    @property
    def hour(self) -> int:
        return 0


class Span(dt.timedelta):
    def __floordiv__(self, _: Any) -> Any:
        return 99


class Row(tuple[Any, ...]):
    __slots__ = ()

    def __len__(self) -> int:
        return 0


class Items(list[Any]):
    def __len__(self) -> int:
        return 0


class Bag(set[Any]):
    pass


class FrozenBag(frozenset[Any]):
    pass


class Pairs(dict[Any, Any]):
    def __len__(self) -> int:
        return 0

    def keys(self) -> Any:
        raise AssertionError


def _parts_of_day(value: dt.date) -> tuple[int, int, int]:
    return value.year, value.month, value.day


def _parts_of_time(value: dt.time | dt.datetime) -> tuple[int, int, int, int]:
    return value.hour, value.minute, value.second, value.microsecond


SUBCLASSES: dict[type, Callable[[Any], Any]] = {
    str: Text,
    int: Whole,
    float: Real,
    bytes: Octets,
    Decimal: Exact,
    UUID: lambda value: Id(int=value.int),
    dt.datetime: lambda value: Instant(*_parts_of_day(value), *_parts_of_time(value), value.tzinfo, fold=value.fold),
    dt.date: lambda value: Day.fromordinal(value.toordinal()),
    dt.time: lambda value: Hour(*_parts_of_time(value), value.tzinfo, fold=value.fold),
    dt.timedelta: lambda value: Span(value.days, value.seconds, value.microseconds),
    tuple: Row,
    list: Items,
    set: Bag,
    frozenset: FrozenBag,
    dict: Pairs,
}
"""Makes a value of a subclass from one of the supported type."""


def disguised(value: Any, draw: Callable[[], bool]) -> Any:
    """A copy of a value, some of whose parts are of subclasses."""
    kind = type(value)
    copy = value
    if kind is dict:
        copy = {disguised(key, draw): disguised(item, draw) for key, item in value.items()}
    elif kind in (list, tuple, set, frozenset):
        copy = kind(disguised(item, draw) for item in value)
    return SUBCLASSES[kind](copy) if kind in SUBCLASSES and draw() else copy


class Color(str, enum.Enum):  # noqa: UP042 - what was there before StrEnum, and is in Django
    RED = "red"

    def __str__(self) -> str:
        return self.name


class Level(enum.IntEnum):
    HIGH = 3


class Right(enum.IntFlag):
    READ = 1
    WRITE = 2


class Weight(float, enum.Enum):
    LIGHT = 0.5


class Line(NamedTuple):
    sku: str
    color: Color


class Folded(str):
    """Equal to its text in any letters, as keys of headers are."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.lower() == other.lower()

    def __hash__(self) -> int:
        return hash(("folded", self.lower()))


class TestSubclasses:
    @given(values, st.data())
    def test_any_tree_with_parts_of_subclasses_is_stored_as_the_plain_tree(
        self, value: Any, data: st.DataObject
    ) -> None:
        raw = packed(value)
        in_disguise = disguised(value, lambda: data.draw(st.booleans()))
        assert packed(in_disguise) == raw
        assert identical(stored(in_disguise), decode(raw, name="cart"))

    @pytest.mark.parametrize("kind", SUBCLASSES)
    def test_each_type_has_a_subclass_in_these_tests(self, kind: type) -> None:
        examples: list[Any] = [
            *("text", 2**70, 1.5, b"octets", Decimal("1.50"), UUID(int=7), dt.date(2026, 1, 2), dt.timedelta(1, 2, 3)),
            *(dt.datetime(2026, 1, 2, 3, fold=1, tzinfo=dt.UTC), dt.time(3, fold=1, tzinfo=dt.UTC)),
            *((1, "a"), [1, "a"], {1, "a"}, frozenset([1]), {"a": 1, 2: 3}),
        ]
        (example,) = (each for each in examples if type(each) is kind)
        value = SUBCLASSES[kind](example)
        assert type(value) is not kind
        assert identical(stored(value), example)
        with pytest.raises(CodecError, match=type(value).__name__):
            packed(value, to_plain=None)

    @pytest.mark.parametrize(
        ("value", "plain"),
        [
            (Color.RED, "red"),
            (Level.HIGH, 3),
            (Right.READ | Right.WRITE, 3),
            (Weight.LIGHT, 0.5),
            (True, True),
            (Line("tea", Color.RED), ("tea", "red")),
            ({Color.RED: {Level.HIGH: [Color.RED]}}, {"red": {3: ["red"]}}),
            ({Color.RED, Level.HIGH}, {"red", 3}),
            ({Line("tea", Color.RED): 1}, {("tea", "red"): 1}),
            (defaultdict(list, a=[Color.RED]), {"a": ["red"]}),
            (Counter("aab"), {"a": 2, "b": 1}),
        ],
    )
    def test_members_of_enums_and_of_the_standard_library_are_plain_data_as_in_json(
        self, value: Any, plain: Any
    ) -> None:
        assert identical(stored(value), plain)

    def test_an_ordered_dict_keeps_its_own_order(self) -> None:
        ordered = OrderedDict(a=1, b=2)
        ordered.move_to_end("a")
        assert list(stored(ordered)) == ["b", "a"]

    def test_a_dict_is_what_its_items_are_as_in_json(self) -> None:
        """Django's QueryDict holds lists, and shows the last of each."""

        class LastOfEach(dict[str, list[str]]):
            def items(self) -> Any:
                return [(key, each[-1]) for key, each in super().items()]

        query = LastOfEach(a=["1", "2"])
        assert stored(query) == json.loads(json.dumps(query)) == {"a": "2"}

    def test_a_list_is_what_iterating_over_it_gives_as_in_json(self) -> None:
        """Django's ErrorList is a list whose own storage is empty."""

        class Errors(list[str]):
            def __iter__(self) -> Iterator[str]:
                return iter(["required"])

        assert stored(Errors()) == json.loads(json.dumps(Errors())) == ["required"]

    def test_content_that_changes_at_each_look_is_read_once(self) -> None:
        looks = 0

        class Changing(dict[str, int]):
            def items(self) -> Any:
                nonlocal looks
                looks += 1
                return [("look", looks)]

        assert stored([Changing()]) == [{"look": 1}]
        assert looks == 1

    def test_nested_changes_cannot_be_excluded(self) -> None:
        """R-03: such a value is compared at each commit."""
        for value in (Pairs(), Items(), Row(), Text("a"), (Items(),)):
            assert not is_immutable(value)


class TestTimes:
    @pytest.mark.parametrize("zone", [dt.UTC, ZoneInfo("Europe/Berlin"), None])
    def test_the_zone_and_the_fold_are_kept(self, zone: dt.tzinfo | None) -> None:
        twice = dt.datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=1)
        assert identical(stored(SUBCLASSES[dt.datetime](twice)), twice)

    def test_a_zone_of_a_subclass_is_the_one_of_its_key(self) -> None:
        class Zone(ZoneInfo):
            pass

        back = stored(dt.datetime(2026, 7, 1, tzinfo=Zone("Europe/Berlin")))
        assert identical(back, dt.datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")))

    def test_a_zone_whose_offset_never_changes_is_that_offset(self) -> None:
        """As that of pendulum and dateutil for ``+01:00``."""

        class Fixed(dt.tzinfo):
            def utcoffset(self, _: dt.datetime | None) -> dt.timedelta:
                return dt.timedelta(hours=1)

            def dst(self, _: dt.datetime | None) -> None:
                return None

            def tzname(self, _: dt.datetime | None) -> str:
                return "+01:00"

        offset = dt.timezone(dt.timedelta(hours=1))
        for value in (dt.datetime(2026, 7, 1, 3, tzinfo=Fixed()), dt.time(3, tzinfo=Fixed())):
            assert identical(stored(value), value.replace(tzinfo=offset))
            with pytest.raises(CodecError, match="Fixed"):
                packed(value, to_plain=None)

    def test_a_zone_that_raises_is_refused_by_its_name(self) -> None:
        class Broken(dt.tzinfo):
            def utcoffset(self, _: dt.datetime | None) -> dt.timedelta:
                raise RuntimeError

            dst = tzname = utcoffset  # type: ignore[assignment]

        with pytest.raises(CodecError, match=r"time zone of type .*Broken"):
            packed(dt.datetime(2026, 7, 1, tzinfo=Broken()))

    def test_a_time_that_equals_no_plain_one_is_refused(self) -> None:
        """As the "not a time" and the nanoseconds of pandas: they would come back as another time."""

        class NotATime(dt.datetime):
            def __eq__(self, other: object) -> bool:
                return False

            __hash__ = dt.datetime.__hash__

        with pytest.raises(CodecError, match=r"NotATime.*datetime.datetime is equal to it"):
            packed({"at": NotATime(1, 1, 1)})

    def test_in_frozen_time_the_types_are_those_of_the_standard_library(self) -> None:
        """Tools that freeze the time put subclasses in their places, before this package is imported or after it."""
        program = """
import datetime, sys
real = datetime.datetime, datetime.date
class FakeDate(real[1]): pass
class FakeDatetime(real[0], FakeDate): pass
FakeDatetime.min = FakeDatetime(1, 1, 1)

def freeze():
    datetime.datetime, datetime.date = FakeDatetime, FakeDate
    for module in [each for name, each in sys.modules.items() if name.startswith("wsgessions.codec")]:
        for name, value in list(vars(module).items()):
            if value in real:
                setattr(module, name, FakeDatetime if value is real[0] else FakeDate)

if sys.argv[1] == "before":
    freeze()
from wsgessions.codec import decode, encode
freeze()
for value in (FakeDatetime(2026, 1, 2), real[0](2026, 1, 2), FakeDate(2026, 1, 2), real[1](2026, 1, 2)):
    back = decode(encode([value], name="a"), name="a")[0]
    assert back == value and type(back) in real, type(back)
"""
        for moment in ("before", "after"):
            subprocess.run([sys.executable, "-c", program, moment], check=True)


class TestRefusal:
    @pytest.mark.parametrize("value", [{Folded("A"): 1, "A": 2}, {Folded("A"), "A"}, frozenset([Folded("A"), "A"])])
    def test_keys_and_members_that_are_equal_as_plain_data_are_refused(self, value: Any) -> None:
        """Else one of them would vanish, or the bytes could not be read."""
        with pytest.raises(CodecError, match=r"'cart\[0\]'.*equal as plain data"):
            packed([value])

    def test_members_that_would_not_be_hashable_are_refused(self) -> None:
        class HashableList(list[int]):
            def __hash__(self) -> int:  # type: ignore[override]
                return 1

        for value in ({HashableList()}, {HashableList(): 1}):
            with pytest.raises(CodecError, match="use texts or tuples"):
                packed(value)

    def test_what_reading_it_raises_is_named_without_its_text(self) -> None:
        """S-80."""

        class Broken(dict[str, str]):
            def items(self) -> Any:
                raise LookupError("a secret")

        with pytest.raises(CodecError, match=r"'cart\.inside'.*Broken.*LookupError") as caught:
            packed({"inside": Broken()})
        assert "secret" not in str(caught.value)
        assert caught.value.__context__ is None or caught.value.__suppress_context__

    def test_the_limits_hold_for_what_a_value_holds_and_not_for_what_it_says(self) -> None:
        """S-72."""

        def endless() -> Iterator[int]:
            while True:
                yield 0

        class Endless(list[int]):
            def __iter__(self) -> Iterator[int]:
                return endless()

        deep: Any = Items()
        for _ in range(MAX_DEPTH - 1):
            deep = Items([deep])
        assert stored(deep) == json.loads(json.dumps(deep, default=list))
        for too_deep in (Items([deep]), (deep,), Pairs(a=deep), {Row(): deep}):
            with pytest.raises(CodecError, match="deeper than 32"):
                packed(too_deep)
        cycle = Items()
        cycle.append(cycle)
        with pytest.raises(CodecError, match="contain itself"):
            packed(cycle)
        for too_many in (Endless(), Items([0] * (MAX_ITEMS + 1)), Pairs.fromkeys(range(MAX_ITEMS))):
            with pytest.raises(CodecError, match="items"):
                packed(too_many)
        with pytest.raises(CodecError, match="bits"):
            packed(Whole(1 << 10_000))
        with pytest.raises(CodecError, match="lone surrogate"):
            packed(Text("\ud800"))

    def test_equal_hashes_are_those_of_the_plain_values(self) -> None:
        """S-72: else they could be stored and not be read."""

        class OwnHash(int):
            def __hash__(self) -> int:
                return id(self)

        alike = {OwnHash((16 + index) * sys.hash_info.modulus) for index in range(MAX_ALIKE + 1)}
        with pytest.raises(CodecError, match="equal hashes"):
            packed(alike)

    def test_an_object_that_claims_another_class_is_not_taken_for_it(self) -> None:
        """S-70: as proxies and mocks do."""

        class Proxy:
            __class__ = dict  # type: ignore[assignment]

            def items(self) -> Any:
                return []

        assert isinstance(Proxy(), dict)
        with pytest.raises(CodecError, match="Proxy"):
            packed(Proxy())


class Point:
    def __init__(self, x: Any) -> None:
        self.x = x


def point_to_plain(value: Any) -> Any:
    if isinstance(value, Point):
        return {"x": value.x}
    raise TypeError


class TestFurtherTypes:
    def test_they_are_stored_wherever_they_are(self) -> None:
        value = [Point(Color.RED), {"a": (Point(Point(1)),)}]
        plain = [{"x": "red"}, {"a": ({"x": {"x": 1}},)}]
        assert packed(value, to_plain=point_to_plain) == packed(plain)

    def test_others_are_still_refused_by_name(self) -> None:
        with pytest.raises(CodecError, match=r"'cart\.x\[0\]'.*complex"):
            packed(Point([1j]), to_plain=point_to_plain)

    def test_a_cycle_ends_at_the_limit(self) -> None:
        point = Point(None)
        point.x = point
        with pytest.raises(CodecError, match="contain itself"):
            packed(point, to_plain=point_to_plain)
        with pytest.raises(CodecError, match="Point"):
            packed(point, to_plain=lambda value: value)

    def test_nan_keys_are_kept_apart_as_they_were(self) -> None:
        raw = packed({Real(math.nan): 1, Real(math.nan): 2})
        assert list(decode(raw, name="cart").values()) == [1, 2]
