"""Values with secrets are shown by names and sizes (S-80)."""

from __future__ import annotations

from wsgessions.internal.masked import described


def test_the_fields_of_a_request_are_shown_by_their_number_whatever_holds_them() -> None:
    fields = [(b"cookie", b"sid=secret"), (b"host", b"shop.test")]
    for headers in (fields, tuple(fields), tuple(map(list, fields))):
        assert described({"headers": headers}) == "{'headers': <2 items>}"


def test_names_of_attributes_are_shown() -> None:
    assert described(("color", "size")) == "('color', 'size')"
    assert described({"size", "color"}) == "{'color', 'size'}"
