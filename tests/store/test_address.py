"""Addresses are read from URLs, refused with a remedy, and never show what they hold of credentials (S-79, S-85)."""

from __future__ import annotations

import copy
import pickle
import ssl
import traceback
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgessions.errors import ConfigError
from wsgessions.store.address import Address, TLSOptions, Verification, in_turn


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("valkey://", None),
        ("valkey://h", "valkey://h:6379/0"),
        ("redis://h:7000/2", "valkey://h:7000/2"),
        ("valkey://h:7000?db=3", "valkey://h:7000/3"),
        ("valkeys://h", "valkeys://h:6379/0"),
        ("rediss://u:p@h/1", "valkeys://h:6379/1"),
        ("valkey://:p@[::1]:7000", "valkey://[::1]:7000/0"),
        ("valkey://[::1]", "valkey://[::1]:6379/0"),
        ("unix:///run/valkey.sock", "unix:///run/valkey.sock"),
        ("unix:///run/a%20b.sock?db=2", "unix:///run/a b.sock?db=2"),
        ("unix://u:p@/run/valkey.sock", "unix:///run/valkey.sock"),
    ],
)
def test_a_url_is_read_or_refused(url: str, shown: str | None) -> None:
    if shown is None:
        with pytest.raises(ConfigError):
            Address.parse(url)
    else:
        assert str(Address.parse(url)) == shown


def test_credentials_are_percent_decoded() -> None:
    address = Address.parse("valkey://us%40er:p%3A%2F%40%23@h")
    assert address.username == "us@er"
    assert address.password is not None
    assert address.password.get_secret_value() == "p:/@#"


def test_a_password_needs_no_user_name() -> None:
    address = Address.parse("valkey://:secret@h")
    assert address.username is None
    assert address.password is not None


def test_several_seeds_share_everything_but_host_and_port() -> None:
    first, second = Address.parse_seeds("valkeys://u:p@a:1,[::2]/4?server_name=db")
    assert (first.host, first.port, second.host, second.port) == ("a", 1, "::2", 6379)
    assert first.username == second.username == "u"
    assert first.database == second.database == 4
    assert first.tls == second.tls == TLSOptions(server_name="db")


def test_several_seeds_are_not_one_address() -> None:
    with pytest.raises(ConfigError, match="2 servers"):
        Address.parse("valkey://a,b")


async def test_seeds_are_tried_in_turn() -> None:
    seeds = Address.parse_seeds("valkey://a,b")
    locate = in_turn(seeds)
    assert [(await locate()).host for _ in range(5)] == ["a", "b", "a", "b", "a"]


def test_tls_verifies_the_certificate_and_the_name_by_default() -> None:
    tls = Address.parse("valkeys://h").tls
    assert tls is not None
    context = tls.context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_verification_ends_only_by_an_explicit_word() -> None:
    tls = Address.parse("valkeys://h?verify=none").tls
    assert tls is not None
    assert tls.verify is Verification.NONE
    assert tls.context().verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize("option", ["ca", "cert"])
def test_tls_files_that_cannot_be_used_are_named(tmp_path: Path, option: str) -> None:
    file = tmp_path / "file.pem"
    address = Address.parse(f"valkeys://h?{option}={file}")
    assert address.tls is not None
    for content in (None, "", "rubbish"):
        if content is not None:
            file.write_text(content)
        with pytest.raises(ConfigError, match="store_url") as caught:
            address.tls.context()
        assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("h:6379", "valkey://"),
        ("http://h", "valkey://"),
        ("valkey://h:0", "host:port"),
        ("valkey://h:65536", "host:port"),
        ("valkey://h:x", "host:port"),
        ("valkey://h,", "localhost"),
        ("valkey://h/x", "localhost:6379/1"),
        ("valkey://h/-1", "localhost:6379/1"),
        pytest.param(f"valkey://h/{'1' * 5000}", "localhost:6379/1", id="long database"),
        pytest.param(f"valkey://h:{'1' * 5000}", "host:port", id="long port"),
        ("valkey://h/1?db=1", "either"),
        ("valkey://h?ca=x", "valkeys://"),
        ("valkeys://h?servername=x", "did you mean 'server_name'"),
        ("valkeys://h?verify=maybe", "full and none"),
        ("valkeys://h?key=x", "client certificate"),
        ("valkey://user@h", "user:password@"),
        ("valkey://:a@b@h", "%40"),
        ("valkey://:a#b@h", "%23"),
        ("valkey://[::1", "[::1]:6379"),
        ("valkey://a[::1]", "[::1]:6379"),
        ("valkey://[h]:1", "[::1]:6379"),
        ("unix://", "unix:///"),
        ("unix://relative/path", "unix:///"),
        ("unix:///s?verify=none", "valkeys://"),
    ],
)
def test_a_bad_url_is_refused_with_the_remedy(url: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Address.parse(url)
    assert caught.value.setting == "store_url"
    assert remedy in str(caught.value)


SECRET = "s3cr3t-w0rd"


@pytest.mark.parametrize(
    "url",
    [
        f"valkey://user:{SECRET}@h:bad",
        f"valkey://user:{SECRET}@h/bad",
        f"valkey://user:{SECRET}@h?no=1",
        f"valkey://user:{SECRET}#@h",
        f"valkey://user:{SECRET}@[::1",
        f"valkey://user:{SECRET}@@h",
        f"valkey://user:{SECRET}/@h",
        f"valkey://user:{SECRET}?@h",
        f"valkey://{SECRET}@h",
        f"valkey://user:{SECRET}℀@h",
        f"bad://user:{SECRET}@h",
        f"user:{SECRET}@h",
    ],
)
def test_the_text_of_a_refusal_never_holds_credentials(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Address.parse(url)
    error = caught.value
    assert SECRET not in "".join(traceback.format_exception(error))
    assert error.__context__ is None


def test_an_address_shows_no_password_in_any_form() -> None:
    address = Address.parse(f"valkey://user:{SECRET}@h")
    for form in (str(address), repr(address), f"{address}", repr(asdict(address)), repr({"address": address})):
        assert SECRET not in form
        assert "user" not in str(address)
    with pytest.raises(TypeError, match="password"):
        pickle.dumps(address)
    with pytest.raises(TypeError, match="password"):
        copy.copy(address)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    for url in (text, f"valkey://{text}", f"valkeys://h?{text}", f"unix://{text}"):
        try:
            seeds = Address.parse_seeds(url)
        except ConfigError:
            continue
        assert seeds
        assert all(0 < seed.port < 65536 for seed in seeds)


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_credentials_survive_percent_encoding(username: str, password: str) -> None:
    from urllib.parse import quote

    if any(0xD800 <= ord(char) <= 0xDFFF for char in username + password):
        return
    address = Address.parse(f"valkey://{quote(username, safe='')}:{quote(password, safe='')}@h")
    assert address.username == username
    assert address.password is not None
    assert address.password.get_secret_value() == password
