"""Target: the bytes of one attribute (R-02, R-20, S-70, S-72)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.codec.portraits import identical
from wsgessions.codec import decode, encode
from wsgessions.errors import CodecError

VALUES = {
    "scalars": [None, True, -1, 2**70, 1.5, "ä", b"\xff"],
    "containers": {"cart": [("tea", 2)], "seen": {1, 2}, "frozen": frozenset([(1,)]), "odd": {(1, 2): "x"}},
    "numbers": [Decimal("-1.10E+5"), Decimal("sNaN12"), 2**8000, -(2**63) - 1],
    "times": [
        dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
        dt.time(1, 2, tzinfo=dt.timezone(dt.timedelta(hours=-3.5), "Here")),
        dt.date(2026, 1, 2),
        dt.timedelta(days=-1, microseconds=1),
    ],
    "uuid": UUID(int=7),
    "deep": [[[[[[{"a": (({},),)}]]]]]],
}
"""One of each kind."""


def check_codec(data: bytes) -> None:
    """A value that comes back as it went, or a `CodecError` of that attribute."""
    try:
        value = decode(data, name="cart")
    except CodecError as error:
        assert error.path == "cart"  # noqa: PT017
        return
    raw = encode(value, name="cart")
    assert identical(decode(raw, name="cart"), value)
    assert encode(decode(raw, name="cart"), name="cart") == raw


def seeds() -> dict[str, dict[str, bytes]]:
    return {"codec": {name: encode(value, name=name) for name, value in VALUES.items()}}
