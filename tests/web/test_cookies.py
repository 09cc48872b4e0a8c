"""Reading our two cookies in one scan, and writing them (S-20 to S-33, C-11)."""

from __future__ import annotations

import sys
from collections import Counter
from http.cookies import SimpleCookie
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wsgessions.credentials.identity import new_session_id
from wsgessions.credentials.presented import CredentialStatus, PresentedCredentials, ResolvedCredentials
from wsgessions.credentials.watermark import WatermarkSeal
from wsgessions.record import SessionKey
from wsgessions.record.struct import replace
from wsgessions.settings import CookieSettings
from wsgessions.web.cookies import MAX_COOKIE_BYTES, MAX_COOKIE_PAIRS, MAX_RIVALS, SessionCookies

COOKIES = SessionCookies(CookieSettings())
INSECURE = SessionCookies(CookieSettings(insecure=True))

A = "A" * 43
B = "B" * 43
MARK = "m" * 48


def read(*fields: str | bytes, cookies: SessionCookies = COOKIES) -> PresentedCredentials:
    """What these Cookie header fields present."""
    octets = [field if isinstance(field, bytes) else field.encode("latin-1") for field in fields]
    presented = cookies.read([(b"host", b"a.test"), *((b"cookie", field) for field in octets)])
    return replace(presented, header=b"")


# -- reading -----------------------------------------------------------------------------------------------------------


def test_id_and_watermark_are_read() -> None:
    """C-11."""
    assert read(f"__Host-sid={A}; __Host-sid-v={MARK}") == PresentedCredentials(A, MARK, CredentialStatus.PRESENT)


def test_an_id_without_watermark_is_an_id() -> None:
    assert read(f"__Host-sid={A}") == PresentedCredentials(A, None, CredentialStatus.PRESENT)


def test_a_watermark_without_id_is_nothing() -> None:
    assert read(f"__Host-sid-v={MARK}") == PresentedCredentials(finding=CredentialStatus.ABSENT)


def test_a_request_without_cookies_presents_nothing() -> None:
    assert COOKIES.read([]) == COOKIES.read([(b"host", b"a.test")]) == PresentedCredentials()


def test_cookies_may_come_in_several_fields() -> None:
    """R-52: HTTP/2 splits them."""
    assert read("a=b", f"__Host-sid={A}", "c=d", f"__Host-sid-v={MARK}") == PresentedCredentials(
        A, MARK, CredentialStatus.PRESENT
    )


@pytest.mark.parametrize(
    "headers",
    [
        [(b"COOKIE", f"__Host-sid={A}".encode())],
        [("Cookie", f"__Host-sid={A}")],
        [["cookie", f"__Host-sid={A}".encode()]],
        ((b"cookie", f"__Host-sid={A}"),),
        iter([(b"cookie", f"__Host-sid={A}".encode())]),
    ],
)
def test_headers_may_be_of_any_sort(headers: Any) -> None:
    """R-54."""
    assert COOKIES.read(headers).id == A


# Each header, and whether it presents the id A, something malformed, a conflict or nothing (S-30).
NASTY: dict[str, CredentialStatus] = {
    f"__Host-sid={A}": CredentialStatus.PRESENT,
    f" __Host-sid={A} ": CredentialStatus.PRESENT,
    f"\t__Host-sid={A}\t": CredentialStatus.PRESENT,
    f"__Host-sid= {A}": CredentialStatus.PRESENT,
    f";;;__Host-sid={A};;;": CredentialStatus.PRESENT,
    f"a=b;__Host-sid={A}": CredentialStatus.PRESENT,
    f"a;__Host-sid={A}": CredentialStatus.PRESENT,
    f"=a; __Host-sid={A}": CredentialStatus.PRESENT,
    f"=; __Host-sid={A}": CredentialStatus.PRESENT,
    f"a=; __Host-sid={A}": CredentialStatus.PRESENT,
    f'a="; __Host-sid={A}': CredentialStatus.PRESENT,
    f'a="b\\"; __Host-sid={A}': CredentialStatus.PRESENT,
    f'a="; __Host-sid={A}; b="': CredentialStatus.PRESENT,
    f"a='; __Host-sid={A}; b='": CredentialStatus.PRESENT,
    f"a=\\; __Host-sid={A}": CredentialStatus.PRESENT,
    f"a=b=c=d; __Host-sid={A}": CredentialStatus.PRESENT,
    f"$Version=1; __Host-sid={A}; $Path=/": CredentialStatus.PRESENT,
    f"Path=/; Domain=x; HttpOnly; __Host-sid={A}": CredentialStatus.PRESENT,
    f"a=\xff\xfe; __Host-sid={A}": CredentialStatus.PRESENT,
    f"a=\0; __Host-sid={A}": CredentialStatus.PRESENT,
    f"a=%3B__Host-sid={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"a=b,__Host-sid={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"a=b __Host-sid={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"a=__Host-sid={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"=__Host-sid={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"x__Host-sid={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"__Host-sidx={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"__host-sid={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"__HOST-SID={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"%5F_Host-sid={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"__Host%2Dsid={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f'"__Host-sid"={B}; __Host-sid={A}': CredentialStatus.PRESENT,
    f"\xa0__Host-sid={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"\x0b__Host-sid={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"__Host-sid\0={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"sid={B}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"__Host-sid; __Host-sid={A}": CredentialStatus.PRESENT,
    f"__Host-sid={A}; __Host-sid={A}": CredentialStatus.PRESENT,
    f"__Host-sid={A};__Host-sid={A} ;__Host-sid= {A}": CredentialStatus.PRESENT,
    f"__Host-sid={A}; __Host-sid={B}": CredentialStatus.CONFLICTING,
    f"__Host-sid={B}; __Host-sid={A}": CredentialStatus.CONFLICTING,
    f"__Host-sid={A}; __Host-sid=": CredentialStatus.PRESENT,
    f"__Host-sid=x; __Host-sid={A}": CredentialStatus.PRESENT,
    f"__Host-sid=x; __Host-sid={A}; __Host-sid={A}A": CredentialStatus.PRESENT,
    f"__Host-sid=x; __Host-sid={A}; __Host-sid={B}": CredentialStatus.CONFLICTING,
    "__Host-sid=x; __Host-sid=y": CredentialStatus.MALFORMED,
    f"__Host-sid={A}; __Host-sid ={B}": CredentialStatus.CONFLICTING,
    "__Host-sid=": CredentialStatus.MALFORMED,
    "__Host-sid=;": CredentialStatus.MALFORMED,
    "__Host-sid==": CredentialStatus.MALFORMED,
    f'__Host-sid="{A}"': CredentialStatus.MALFORMED,
    f"__Host-sid={A[1:]}": CredentialStatus.MALFORMED,
    f"__Host-sid={A}A": CredentialStatus.MALFORMED,
    f"__Host-sid={A},": CredentialStatus.MALFORMED,
    f"__Host-sid={A}=": CredentialStatus.MALFORMED,
    f"__Host-sid={A}\n": CredentialStatus.MALFORMED,
    f"__Host-sid={A[1:]}\n": CredentialStatus.MALFORMED,
    f"__Host-sid={A[1:]}\0": CredentialStatus.MALFORMED,
    f"__Host-sid={A[1:]}\xff": CredentialStatus.MALFORMED,
    f"__Host-sid=%41{A[1:]}": CredentialStatus.MALFORMED,
    f"__Host-sid={A[:20]} {A[21:]}": CredentialStatus.MALFORMED,
    "__Host-sid=../../" + "A" * 37: CredentialStatus.MALFORMED,
    "__Host-sid=\r\n*1\r\n$4\r\nPING\r\n": CredentialStatus.MALFORMED,
    "__Host-sid=" + "A" * 10_000: CredentialStatus.MALFORMED,
    "": CredentialStatus.ABSENT,
    ";": CredentialStatus.ABSENT,
    "=": CredentialStatus.ABSENT,
    "__Host-sid": CredentialStatus.ABSENT,
    f"__Host-si={A}; d={A}": CredentialStatus.ABSENT,
    f"__HOST-SID={A}": CredentialStatus.ABSENT,
    f"x=__Host-sid={A}": CredentialStatus.ABSENT,
    f"sid={A}": CredentialStatus.ABSENT,
    f"__Host-sid-v={A}": CredentialStatus.ABSENT,
}


@pytest.mark.parametrize("header", NASTY)
def test_no_header_hides_or_breaks_our_cookie(header: str) -> None:
    """S-04, S-29, S-30: no decoding, no quoting, no completion; a pair is what stands between two semicolons."""
    presented = read(header)
    assert presented.finding is NASTY[header]
    assert presented.id == (A if presented.finding is CredentialStatus.PRESENT else None)


def test_the_corpus_of_nasty_headers_is_large_enough() -> None:
    assert len(NASTY) >= 60


@pytest.mark.parametrize("fields", [(f"__Host-sid={A}", f"__Host-sid={B}"), (f"__Host-sid={B}", f"__Host-sid={A}")])
def test_ids_that_contradict_each_other_in_two_fields_are_a_conflict(fields: tuple[str, str]) -> None:
    """S-29."""
    assert read(*fields).finding is CredentialStatus.CONFLICTING


def test_conflicting_watermarks_are_none() -> None:
    """C-11."""
    assert read(f"__Host-sid={A}; __Host-sid-v={MARK}; __Host-sid-v=x") == PresentedCredentials(
        A, None, CredentialStatus.PRESENT, strays=True
    )


def test_identical_watermarks_are_one() -> None:
    presented = read(f"__Host-sid-v={MARK}; __Host-sid={A}; __Host-sid-v={MARK}")
    assert presented == PresentedCredentials(A, MARK, CredentialStatus.PRESENT, strays=True)


def test_of_several_ids_all_are_told_up_to_a_number_that_the_store_may_be_asked_for() -> None:
    """S-29: each once, and what is no id is none of them."""
    ids = [new_session_id() for _ in range(MAX_RIVALS)]
    header = "; ".join(f"__Host-sid={each}" for each in [*ids, ids[0], "x"])
    found = PresentedCredentials(None, MARK, CredentialStatus.CONFLICTING, rivals=tuple(ids), strays=True)
    assert read(f"{header}; __Host-sid-v={MARK}") == found
    assert read(f"{header}; __Host-sid={A}") == PresentedCredentials(finding=CredentialStatus.CONFLICTING, strays=True)


def test_strays_are_removed_where_ours_are_not() -> None:
    """S-29."""
    assert COOKIES.clear_strays() == []
    shared = SessionCookies(CookieSettings(name="__Secure-sid", domain="a.test", partitioned=True, samesite="none"))
    attributes = "; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"
    assert [each.decode() for each in shared.clear_strays()] == [
        f"__Secure-sid-v={attributes}",
        f"__Secure-sid={attributes}",
    ]


foreign = st.text(st.characters(max_codepoint=255, exclude_characters=";"), max_size=40).filter(
    lambda text: not text.strip(" \t").startswith("__Host-sid")
)


@given(st.lists(foreign, max_size=8), st.integers(0, 8))
def test_foreign_cookies_never_hide_ours(others: list[str], place: int) -> None:
    """S-30, over whatever may stand between two semicolons."""
    pairs = [*others[:place], f"__Host-sid={A}", *others[place:]]
    assert read(";".join(pairs)).id == A


@given(st.binary(max_size=300))
def test_no_header_is_ever_an_error(header: bytes) -> None:
    assert read(header).finding in CredentialStatus
    assert read(b"__Host-sid=" + header).finding in CredentialStatus


ours = st.sampled_from(["__Host-sid", "__Host-sid-v", "__Host-sid-vv", "x__Host-sid", "sid"])
pieces = st.tuples(
    st.sampled_from(["; ", ";", " ", ";\t", ""]),
    ours,
    st.sampled_from(["=", " =", "= ", "", "=="]),
    st.sampled_from([A, B, MARK, f'"{A}"', A[1:], f"{A} ", f"{A}=", "", f"__Host-sid={A}"]),
)


plain = st.sampled_from(["", f"__Host-sid={A}", f"__Host-sid={A}; __Host-sid-v={MARK}"])


@given(plain, st.lists(pieces, max_size=3))
@example("", [("", "x__Host-sid", "=", A), ("; ", "__Host-sid-v", "=", MARK)])
@example("", [("", "__Host-sid", "=", A), ("; ", "x__Host-sid-v", "=", MARK)])
def test_a_header_that_is_read_at_a_glance_says_what_it_says_letter_by_letter(
    begin: str, parts: list[tuple[str, ...]]
) -> None:
    """S-29, S-30: browsers write cookies in one way, for which there is a shorter way to read them."""
    header = (begin + "".join(map("".join, parts))).encode("latin-1")
    assert COOKIES._read_plain(header) in (None, COOKIES._scan(header))


def test_what_browsers_write_is_read_at_a_glance() -> None:
    for header in (f"__Host-sid={A}; __Host-sid-v={MARK}", f"a=b; __Host-sid-v={MARK}; c=d; __Host-sid={A}; e=f"):
        assert COOKIES._read_plain(header.encode()) == PresentedCredentials(A, MARK, CredentialStatus.PRESENT)


# -- the next request --------------------------------------------------------------------------------------------------


def _resolved(watermark: str) -> ResolvedCredentials:
    seal = WatermarkSeal([b"k" * 32])
    return ResolvedCredentials(seal, SessionKey(1, b"d" * 16), seal.unseal(watermark))


@given(st.lists(st.sampled_from(["a=b", "c=", f"d={B}", f"e={MARK}"]), max_size=3), st.permutations([0, 1]))
def test_an_expected_header_is_what_would_be_read_of_it(others: list[str], order: list[int]) -> None:
    """C-11: a browser returns the watermark of a response with its next request, and else the same header."""
    ours = [f"__Host-sid={A}", f"__Host-sid-v={MARK}"]
    header = "; ".join([*others, *(ours[index] for index in order)])
    cookies, next_mark = SessionCookies(CookieSettings()), "n" * 48
    presented = cookies.read([(b"cookie", header.encode())])
    cookies.expect(presented, next_mark, resolved := _resolved(next_mark))
    following = header.replace(MARK, next_mark).encode()
    found = cookies.read([(b"cookie", following)])
    assert found.resolved is resolved, "nothing is parsed, hashed or authenticated a second time"
    assert replace(found, resolved=None) == SessionCookies(CookieSettings()).read([(b"cookie", following)])


@pytest.mark.parametrize("header", ["", f"__Host-sid={A}", f"__Host-sid={A};__Host-sid-v={MARK}"])
def test_no_header_is_expected_after_one_that_cannot_be_predicted(header: str) -> None:
    cookies = SessionCookies(CookieSettings())
    cookies.expect(cookies.read([(b"cookie", header.encode())]), "n" * 48, _resolved("n" * 48))
    following = header.replace(MARK, "n" * 48).encode()
    assert cookies.read([(b"cookie", following)]).resolved is None


# -- limits (S-31) -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", [MAX_COOKIE_BYTES, 1024 * 1024])
def test_too_many_bytes_of_cookies_are_no_session(padding: int) -> None:
    assert read(f"__Host-sid={A}; a=" + "b" * padding).finding is CredentialStatus.OVERSIZED


def test_bytes_are_counted_over_all_fields() -> None:
    half = "a=" + "b" * (MAX_COOKIE_BYTES // 2)
    assert read(f"__Host-sid={A}; {half}", half).finding is CredentialStatus.OVERSIZED


def test_too_many_cookies_are_no_session() -> None:
    others = "; a=b" * MAX_COOKIE_PAIRS
    assert read(f"__Host-sid={A}{others}").finding is CredentialStatus.OVERSIZED


def test_as_many_as_are_allowed_are_read() -> None:
    others = "; a=b" * (MAX_COOKIE_PAIRS - 1)
    assert read(f"__Host-sid={A}{others}").id == A


def test_the_scan_does_its_work_once_per_pair() -> None:
    """S-30: linear, shown by counting executed lines instead of time."""

    def lines_run(pairs: int) -> int:
        counts: Counter[str] = Counter()

        def count(frame: FrameType, event: str, argument: object) -> Any:
            counts[event] += 1
            return count

        header = f"__Host-sid={A}" + '; \\"=\\"' * pairs
        before = sys.gettrace()
        sys.settrace(count)
        try:
            read(header)
        finally:
            sys.settrace(before)
        return counts["line"]

    base, hundred, two_hundred = lines_run(0), lines_run(90), lines_run(180)
    assert two_hundred - base <= 2 * (hundred - base)


# -- writing -----------------------------------------------------------------------------------------------------------


def attributes(set_cookie: bytes) -> tuple[str, dict[str, str | bool]]:
    """The pair, and the attributes behind it."""
    pair, *rest = set_cookie.decode("ascii").split("; ")
    return pair, {name: value or True for name, _, value in (part.partition("=") for part in rest)}


def test_the_id_cookie_is_as_safe_as_a_cookie_can_be() -> None:
    """S-20."""
    pair, rest = attributes(COOKIES.set_id(A))
    assert pair == f"__Host-sid={A}"
    assert rest == {"Path": "/", "Secure": True, "HttpOnly": True, "SameSite": "Lax"}


def test_the_watermark_cookie_has_the_same_attributes() -> None:
    pair, rest = attributes(COOKIES.set_watermark(MARK))
    assert pair == f"__Host-sid-v={MARK}"
    assert rest == attributes(COOKIES.set_id(A))[1]


@pytest.mark.parametrize(
    "settings",
    [
        CookieSettings(),
        CookieSettings(insecure=True),
        CookieSettings(name="__Secure-shop", domain="example.org", path="/shop"),
        CookieSettings(samesite="none", partitioned=True),
        CookieSettings(samesite="strict", httponly=False),
    ],
)
def test_a_deletion_has_the_attributes_of_what_it_deletes(settings: CookieSettings) -> None:
    """S-23, S-32: a browser would keep the cookie otherwise. The id's goes last, for clients that keep one."""
    cookies = SessionCookies(settings)
    for deletion, setting in zip(cookies.clear(), (cookies.set_watermark(MARK), cookies.set_id(A)), strict=True):
        (gone, rest), (pair, wanted) = attributes(deletion), attributes(setting)
        assert gone == pair.partition("=")[0] + "="
        assert rest == {"Max-Age": "0", **wanted}


def test_partitioned_is_repeated() -> None:
    """S-23."""
    cookies = SessionCookies(CookieSettings(samesite="none", partitioned=True))
    assert all(b"; Partitioned" in each for each in (cookies.set_id(A), cookies.set_watermark(MARK), *cookies.clear()))


def test_the_insecure_mode_leaves_secure_out_and_changes_the_name() -> None:
    """S-24."""
    pair, rest = attributes(INSECURE.set_id(A))
    assert pair == f"sid={A}"
    assert rest == {"Path": "/", "HttpOnly": True, "SameSite": "Lax"}
    assert read(f"sid={A}; __Host-sid={B}", cookies=INSECURE).id == A


def test_a_persistent_cookie_tells_its_age() -> None:
    """S-27."""
    assert attributes(COOKIES.set_id(A, max_age=60))[1]["Max-Age"] == "60"
    assert attributes(COOKIES.set_watermark(MARK, max_age=60))[1]["Max-Age"] == "60"


def test_cookies_stay_small() -> None:
    """S-26."""
    longest = SessionCookies(CookieSettings(name="n" * 100, path="/" + "p" * 1023, domain="d" * 60 + ".test"))
    for cookie in (longest.set_id(A, max_age=10**8), longest.set_watermark(MARK, max_age=10**8), *longest.clear()):
        assert len(cookie.partition(b";")[0]) < 200
        assert len(cookie) <= 4096


@given(st.integers(0, 400 * 86400) | st.none())
def test_every_cookie_is_one_line_and_one_cookie(max_age: int | None) -> None:
    """S-28."""
    session_id = new_session_id()
    for header in (COOKIES.set_id(session_id, max_age=max_age), COOKIES.set_watermark(MARK, max_age=max_age)):
        assert header.isascii()
        assert header.decode().isprintable()
        assert len(SimpleCookie(header.decode())) == 1


def test_what_was_presented_is_never_shown() -> None:
    """S-80."""
    presented = read(f"__Host-sid={A}; __Host-sid-v={MARK}")
    assert repr(presented) == str(presented)
    assert "PRESENT" in repr(presented)
    assert A not in repr(presented)
    assert MARK not in repr(presented)
