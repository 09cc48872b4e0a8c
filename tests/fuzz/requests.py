"""Targets: what a client sends that reaches a parser of ours (S-04, S-05, S-29 to S-31, C-11, S-100)."""

from __future__ import annotations

from base64 import urlsafe_b64decode

from wsgessions.credentials.identity import is_well_formed
from wsgessions.credentials.presented import CredentialChannel, CredentialStatus, PresentedCredentials
from wsgessions.credentials.watermark import Watermark, WatermarkSeal
from wsgessions.errors import InvalidCursor
from wsgessions.record import SessionKey
from wsgessions.settings import CookieSettings, SessionSettings
from wsgessions.store.listing import Position, is_ref
from wsgessions.web.cookies import MAX_COOKIE_BYTES, MAX_COOKIE_PAIRS, SessionCookies
from wsgessions.web.id_resolver import SessionIdResolver

from .inputs import joined, pieces

ID, OTHER = b"A" * 43, b"b-_9" * 10 + b"xyz"
MARK = b"m" * 48
KEY = bytes(range(32))
OLD = SessionKey(7, bytes(range(16)))

_settings = CookieSettings()
_name = _settings.name.encode()
_seal = WatermarkSeal([KEY], node=7, remembered=1)
_transport = SessionIdResolver(SessionSettings(store_url="memory:", header="X-Session-Id"))
_names = (b"cookie", b"x-session-id", b"x-session-id-watermark", b"X-Session-Id", b"Cookie", b"accept")


def _ids_in(fields: list[bytes]) -> set[bytes]:
    """The values of our cookie, found by the book: pairs between semicolons, a name before the first equals sign."""
    pairs = [pair.partition(b"=") for field in fields for pair in field.split(b";")]
    return {value.strip(b" \t") for name, sign, value in pairs if sign and name.strip(b" \t") == _name}


def check_cookie(data: bytes) -> None:
    """One Cookie field for each line of the input.

    Whatever the client sends, an id is one that stands in the header under our name alone, and is found if nothing
    else is there under that name, as browsers write it.
    """
    fields = data.split(b"\n")
    cookies = SessionCookies(_settings)
    presented = cookies.read([(b"cookie", field) for field in fields])
    _check_presented(presented)
    ids = _ids_in(fields)
    if presented.id is not None:
        assert presented.id.encode() in ids
    small = sum(map(len, fields)) + len(fields) <= MAX_COOKIE_BYTES and data.count(b";") < MAX_COOKIE_PAIRS - len(
        fields
    )
    plain = any(_name + b"=" in field for field in fields)
    if small and plain and len(ids) == 1 and is_well_formed(next(iter(ids)).decode("latin-1")):
        assert presented.id is not None
    assert cookies.read([(b"cookie", field) for field in fields]) == presented
    text = [("cookie", field.decode("latin-1")) for field in fields]
    assert SessionCookies(_settings).read(text) == presented


def check_header(data: bytes) -> None:
    """Header fields: of each piece the first byte chooses the name, and the rest is the value."""
    fields = [(_names[piece[0] % len(_names)], piece[1:]) for piece in pieces(data) if piece]
    presented = _transport.read(fields)
    _check_presented(presented)
    told = {value.strip(b" \t") for name, value in fields if name.lower() == b"x-session-id"}
    by_cookie = _ids_in([value for name, value in fields if name.lower() == b"cookie"])
    if presented.id is not None:
        assert presented.id.encode() in (told if presented.carrier is CredentialChannel.HEADER else by_cookie)
    assert presented.carrier is CredentialChannel.COOKIE or told


def _check_presented(presented: PresentedCredentials) -> None:
    assert (presented.id is not None) == (presented.finding is CredentialStatus.PRESENT)
    assert presented.id is None or is_well_formed(presented.id)
    conflicting = (
        presented.finding is CredentialStatus.CONFLICTING
    )  # then the store decides which id it belongs to (S-29)
    assert presented.id is not None or presented.watermark is None or conflicting


def check_watermark(data: bytes) -> None:
    """A watermark is one that a key of ours has sealed, byte for byte; a move leads to where it was sealed for."""
    text = data.decode("latin-1")
    mark, moved = _seal.unseal(text), _seal.unseal_move(text, OLD)
    if mark is not None:
        again = WatermarkSeal([KEY], node=mark.node).seal(mark.incarnation, mark.version)
        assert urlsafe_b64decode(text.translate(_WEB)) == urlsafe_b64decode(again)
        assert mark in _SEALED, "a MAC was forged"
    assert moved in (None, OTHER.decode()), "a MAC was forged"


_WEB = str.maketrans("+/", "-_")
_SEALED = (Watermark(1, 2, 7), Watermark(2**64 - 1, 2**53 - 1, 7), Watermark(0x3F3F3F3F3F3F3F3F, 1_800_000_000_000, 7))


def check_cursor(data: bytes) -> None:
    """What says where a list goes on, and what names a session in a list, come from pages that staff use."""
    text = data.decode("latin-1")
    is_ref(text)
    try:
        position = Position.read(text, segments=64)
    except InvalidCursor:
        return
    assert Position.read(position.cursor, segments=64) == position


def seeds() -> dict[str, dict[str, bytes]]:
    """What browsers and we ourselves write, for each target."""
    ours = _name + b"=" + ID
    marked = _name + b"-v=" + MARK
    marks = {
        f"sealed-{number}": _seal.seal(each.incarnation, each.version).encode() for number, each in enumerate(_SEALED)
    }
    return {
        "cookie": {
            "id-and-mark": ours + b"; " + marked,
            "among-others": b"_ga=GA1.1.5; " + marked + b"; theme=dark; " + ours + b'; q="a;b"',
            "two-fields": b"a=b; " + ours + b"\n" + marked,
            "two-ids": ours + b"; " + _name + b"=" + OTHER,
            "same-twice": ours + b";" + ours,
            "quoted": _name + b'="' + ID + b'"',
            "spaced": b" \t" + _name + b" = " + ID + b" ; " + marked,
        },
        "header": {
            "by-header": joined([b"\x01" + ID, b"\x02" + MARK]),
            "both": joined([b"\x00" + ours + b"; " + marked, b"\x01" + ID]),
            "asking": joined([b"\x03none", b"\x05text/html"]),
            "two-ids": joined([b"\x01" + ID, b"\x03" + OTHER]),
        },
        "watermark": {**marks, "move": _seal.seal_move(OLD, OTHER.decode()).encode()},
        "cursor": {
            "begin": Position.at(0, 0, bytes(16)).cursor.encode(),
            "middle": Position.at(63, 1_800_000_000_000, bytes(range(16))).cursor.encode(),
            "ref": b"0a1f3c5e7d9b",
        },
    }
