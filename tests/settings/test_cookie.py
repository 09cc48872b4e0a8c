"""What browsers would punish in silence is refused at start (S-20 to S-28)."""

from __future__ import annotations

from typing import Any, cast

import pytest

from wsgessions.errors import ConfigError
from wsgessions.settings import CookieSettings, SessionSettings
from wsgessions.web.cookies import SessionCookies


def refused(**cookie: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        SessionSettings(cookie=cast("Any", cookie))
    return caught.value


def accepted(**cookie: Any) -> CookieSettings:
    return SessionSettings(cookie=cast("Any", cookie)).cookie


def test_the_default_is_the_safest_cookie_that_works() -> None:
    cookie = accepted()
    assert (cookie.name, cookie.path, cookie.domain, cookie.samesite) == ("__Host-sid", "/", None, "lax")
    assert (cookie.secure, cookie.httponly, cookie.partitioned, cookie.insecure) == (True, True, False, False)
    assert cookie.max_age is None


@pytest.mark.parametrize(
    ("cookie", "setting"),
    [
        ({"domain": "example.org"}, "cookie.domain"),
        ({"path": "/shop"}, "cookie.path"),
        ({"name": "__hOsT-sid", "domain": "example.org"}, "cookie.domain"),
        ({"name": "__HOST-sid", "path": "/shop"}, "cookie.path"),
        ({"name": "__Host-sid", "insecure": True}, "cookie.name"),
        ({"name": "__sEcUrE-sid", "insecure": True}, "cookie.name"),
        ({"name": "__Http-sid", "httponly": False}, "cookie.name"),
        ({"name": "__Host-Http-sid", "httponly": False}, "cookie.name"),
        ({"secure": False, "name": "sid"}, "cookie.secure"),
        ({"secure": True, "insecure": True}, "cookie.secure"),
        ({"samesite": "none", "insecure": True}, "cookie.samesite"),
        ({"partitioned": True, "insecure": True}, "cookie.partitioned"),
        ({"samesite": "Loose"}, "cookie.samesite"),
        ({"samesite": None}, "cookie.samesite"),
        ({"samesite": True}, "cookie.samesite"),
        ({"max_age": "401d"}, "cookie.max_age"),
        ({"max_age": 0}, "cookie.max_age"),
        ({"max_age": -1}, "cookie.max_age"),
        ({"max_age": "1.5s"}, "cookie.max_age"),
        ({"secure": "Falsch"}, "cookie.secure"),
    ],
)
def test_a_contradiction_is_refused_by_the_name_of_the_setting(cookie: dict[str, Any], setting: str) -> None:
    """S-21, S-22, S-210."""
    error = refused(**cookie)
    assert setting in str(error)
    assert error.origin in {"constructor", "default"}


@pytest.mark.parametrize("bad", ["\r\nSet-Cookie: x", "a\nb", "a;b", "a\0b", "ä", "a b", "\x7f", ""])
@pytest.mark.parametrize("setting", ["name", "path", "domain", "samesite"])
def test_nothing_that_could_split_a_header_is_accepted(setting: str, bad: str) -> None:
    """S-28, S-210."""
    value = f"/{bad}" if setting == "path" and bad else bad
    if setting == "domain" and not bad:
        assert accepted(domain=bad).domain is None
        return
    assert refused(**{"name": "sid", setting: value}).setting == f"cookie.{setting}"


@pytest.mark.parametrize("name", ["a=b", "a,b", 'a"b', "a\\b", "(a)", "x" * 101])
def test_a_name_is_a_short_token(name: str) -> None:
    assert refused(name=name).setting == "cookie.name"


def test_attribute_values_have_a_limit() -> None:
    accepted(name="sid", path="/" + "x" * 1023)
    assert refused(name="sid", path="/" + "x" * 1024).setting == "cookie.path"
    assert refused(name="sid", domain=".".join(["x" * 60] * 5)).setting == "cookie.domain"


@pytest.mark.parametrize("domain", ["example.org", "a.b-c.example", "localhost", ".example.org"])
def test_a_domain_is_a_host_name(domain: str) -> None:
    """RFC 6265 gives a dot in front no meaning."""
    assert accepted(name="__Secure-sid", domain=domain).domain == domain.removeprefix(".")


@pytest.mark.parametrize("domain", ["..example.org", "example..org", "-a.org", "a_b.org", "https://example.org"])
def test_other_domains_are_refused(domain: str) -> None:
    assert refused(name="sid", domain=domain).setting == "cookie.domain"


def test_only_development_has_another_cookie_for_plain_http() -> None:
    """S-24, S-25."""
    plain = SessionSettings(context_path="/shop").plain_http_cookie
    assert plain is not None
    assert (plain.name, plain.secure, plain.samesite) == ("sid.shop", False, "lax")
    assert SessionSettings(cookie={"secure": True}).plain_http_cookie is None
    assert SessionSettings(cookie={"insecure": True}).plain_http_cookie is None
    production = SessionSettings(env="production", store_url="valkeys://store.example?ca=/etc/ca.pem")
    assert production.plain_http_cookie is None


@pytest.mark.parametrize("insecure", [True, "true", "on", 1])
def test_the_insecure_mode_renames_the_cookie_and_drops_secure(insecure: Any) -> None:
    cookie = accepted(insecure=insecure)
    assert (cookie.name, cookie.watermark_name, cookie.secure) == ("sid", "sid-v", False)
    assert accepted(insecure=insecure, name="shop").name == "shop"


@pytest.mark.parametrize("samesite", ["Lax", "STRICT", " none "])
def test_samesite_is_read_in_any_case(samesite: str) -> None:
    """S-22."""
    assert accepted(samesite=samesite).samesite == samesite.strip().lower()


@pytest.mark.parametrize("word", [False, "off", "Off"])
def test_without_samesite_the_browser_decides(word: Any) -> None:
    assert accepted(samesite=word).samesite == "off"
    assert b"SameSite" not in SessionCookies(accepted(samesite=word)).set_id("A" * 43)


CONTEXTS = [
    "/",
    "/shop",
    "/shop-v",
    "/shop-",
    "/shop--v",
    "/a/b",
    "/a.b",
    "/a%2Fb",
    "/caf\u00e9",
    "/" + "x" * 65,
    "/" + "x" * 200,
]


def test_the_default_name_carries_the_context() -> None:
    """S-12, S-26: two applications of one host do not end each other's sessions."""
    names = [SessionSettings(context_path=context).cookie.name for context in CONTEXTS]
    assert names[:3] == ["__Host-sid", "__Host-sid.shop", "__Host-sid.shop--v"]
    assert len({*names, *(f"{name}-v" for name in names)}) == 2 * len(CONTEXTS)
    assert [accepted(name=name).name for name in names] == names
    assert SessionSettings(context_path="/shop", cookie={"insecure": True}).cookie.name == "sid.shop"
    settings = SessionSettings(context_path="/shop", cookie={"name": "__Host-shop"})
    assert settings.cookie.name == "__Host-shop"
    moved = SessionSettings.load(SessionSettings(context_path="/shop"), {"context_path": "/"})
    assert moved.cookie.name == "__Host-sid"


@pytest.mark.parametrize(("max_age", "seconds"), [(3600, 3600), ("1h", 3600), ("86400", 86400)])
def test_max_age_is_kept_in_seconds(max_age: Any, seconds: int) -> None:
    assert accepted(max_age=max_age).max_age == seconds


def test_several_contradictions_are_told_at_once() -> None:
    text = str(refused(domain="example.org", path="/shop"))
    assert "cookie.domain" in text
    assert "cookie.path" in text
