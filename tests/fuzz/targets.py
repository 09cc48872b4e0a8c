"""The targets by name. Each is a function of bytes that raises when a promise is broken, so any fuzzer can drive it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from . import requests, stored, stored_seeds, streams, values

__all__ = ["TARGETS", "Target", "seeds"]


class Target(NamedTuple):
    """A reader, and what it looks for."""

    check: Callable[[bytes], None]
    tokens: tuple[bytes, ...] = ()
    examples: int = 250
    """How many inputs one run of the tests makes up."""


_PAIRS = (
    b"__Host-sid=",
    b"__Host-sid-v=",
    requests.ID,
    requests.MARK,
    b"; ",
    b";",
    b"=",
    b'"',
    b"\\",
    b" ",
    b"\n",
    b"%3B",
)
_FIELDS = (
    b"m",
    b"t",
    b"f",
    b"i",
    b"o",
    b"p",
    b"acart",
    b"a",
    b"a\xff",
    b"a\xed\xa0\x80",
    stored.head(),
    b"\0\x01",
    b"\0\x08",
)
_NUMBERS = (b"\x7f\xf0\0\0\0\0\0\0", b"\xff\xf0\0\0\0\0\0\0", b"\x7f\xf8\0\0\0\0\0\0", b"\0\x20\0\0\0\0\0\0")
_MESSAGEPACK = (
    b"\x90",
    b"\x91",
    b"\x92",
    b"\xc1",
    b"\xdc\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xc7\x03",
    b"\xd4\x01",
    b"\xd6\xff",
)
_RESP = (
    b"\r\n",
    b"+OK\r\n",
    b"$-1\r\n",
    b"*1\r\n",
    b"*-1\r\n",
    b"%1\r\n",
    b"~1\r\n",
    b">1\r\n",
    b"|1\r\n",
    b"(1\r\n",
    b",nan\r\n",
)
_MORE_RESP = (
    b"-ERR \xff\r\n",
    b"$?\r\n",
    b";0\r\n",
    b".\r\n",
    b"=4\r\ntxt:\r\n",
    b"!3\r\nERR\r\n",
    b"#t\r\n",
    b"_\r\n",
    b"$99999999\r\n",
)

TARGETS = {
    "cookie": Target(requests.check_cookie, _PAIRS),
    "header": Target(requests.check_header, (*_PAIRS, b"\0\x2c\x01" + requests.ID, b"\0\x05\x03none")),
    "watermark": Target(requests.check_watermark, (b"=", b"-", b"_", b"+", b"/", b"A", b"\n")),
    "cursor": Target(requests.check_cursor, (b"A", b"_", b"=", b"/", b"f")),
    "codec": Target(values.check_codec, _MESSAGEPACK, 500),
    "record": Target(stored.check_record_fields, (*_FIELDS, *_NUMBERS), 600),
    "outcome": Target(stored.check_outcome, (*_FIELDS, *_NUMBERS)),
    "members": Target(stored.check_members, _NUMBERS),
    "document": Target(stored.check_document, (*_MESSAGEPACK, b"wsd\x01"), 300),
    "off_heap": Target(stored.check_off_heap, (*_NUMBERS, b"\x81\xa1", b"\xc4\x01")),
    "stream": Target(streams.check_stream, (*_RESP, *_MORE_RESP), 100),
    "server_error": Target(streams.check_server_error, (b"ERR ", b"_", b"with args beginning with:", b"A" * 500)),
}


def seeds() -> dict[str, dict[str, bytes]]:
    """What is well-formed, for each target, by the names of the files that keep it."""
    return {**requests.seeds(), **values.seeds(), **stored_seeds.seeds(), **streams.seeds()}
