"""The settings that processes compare: each has a text, secrets a fingerprint (C-25, C-27)."""

from __future__ import annotations

from typing import Any

import pytest

from wsgessions.settings import SessionSettings, describe_settings
from wsgessions.settings.alike import compared, required
from wsgessions.store.alike import find_differences

OLD, NEW, OTHER = (f"{'0N7rXq2v9mKcUe5TzYbGs8WfLp3HdJaR'}{each}" for each in "abc")


def names_that_differ(here: dict[str, Any], there: dict[str, Any]) -> list[str]:
    """The settings that two processes tell of each other, in either direction."""
    ours, theirs = compared(SessionSettings(**here)), compared(SessionSettings(**there))
    names = [each.setting for each in find_differences(ours, theirs)]
    assert names == [each.setting for each in find_differences(theirs, ours)]
    return names


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("max_inactive_interval", "20m"),
        ("absolute_timeout", "12h"),
        ("renew_interval", "1h"),
        ("lease", "3s"),
        ("touch_interval", "2s"),
        ("invalidate_barrier", True),
        ("header", "X-Session-Id"),
        ("secrets", [NEW]),
    ],
)
def test_a_setting_that_visitors_notice_at_another_server_is_compared(setting: str, value: Any) -> None:
    assert names_that_differ({}, {setting: value}) == [setting]


@pytest.mark.parametrize(
    ("setting", "value"), [("name", "__Host-shop"), ("samesite", "strict"), ("max_age", "1h"), ("httponly", False)]
)
def test_the_attributes_of_the_cookie_are_compared(setting: str, value: Any) -> None:
    assert names_that_differ({}, {"cookie": {setting: value}}) == [f"cookie.{setting}"]


def test_a_cookie_that_is_secure_over_plain_http_too_differs_from_one_that_the_request_chooses() -> None:
    """S-24: the setting itself is true in both."""
    assert names_that_differ({}, {"cookie": {"secure": True}}) == ["cookie.secure"]


def test_settings_of_one_process_may_differ() -> None:
    own = {"max_bytes_on_heap": "1M", "nonstop_timeout": "5s", "exclude": ["/static"], "heartbeat": "0.4s"}
    assert names_that_differ({}, own) == []


@pytest.mark.parametrize(
    ("here", "there", "differ"),
    [
        ([OLD], [OLD, NEW], []),
        ([OLD, NEW], [NEW, OLD], []),
        ([NEW, OLD], [NEW], []),
        ([OLD], [NEW], ["secrets"]),
        ([OLD], [NEW, OLD], ["secrets"]),
        ([OLD, OTHER], [NEW, OTHER], ["secrets"]),
    ],
    ids=["to verify", "to sign", "the old is dropped", "two", "signs too early", "neither verifies the other's"],
)
def test_two_rings_of_keys_agree_if_each_verifies_what_the_other_signs(
    here: list[str], there: list[str], differ: list[str]
) -> None:
    assert names_that_differ({"secrets": here}, {"secrets": there}) == differ


def test_no_secret_is_among_what_is_compared() -> None:
    settings = SessionSettings(secrets=[OLD, NEW], pepper=OTHER)
    texts = str({**required(settings), **compared(settings)})
    assert not [secret for secret in (OLD, NEW, OTHER) if secret in texts]
    assert texts.count("fingerprint-") == 3


def test_each_name_is_that_of_a_setting() -> None:
    settings = SessionSettings()
    assert required(settings).keys() | compared(settings).keys() <= {each.name for each in describe_settings()}
