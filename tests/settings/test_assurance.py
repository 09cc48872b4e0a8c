"""Timeouts of the levels of NIST SP 800-63B as defaults and limits (S-53)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from wsgessions.errors import ConfigError
from wsgessions.settings import SessionSettings


@pytest.mark.parametrize(
    ("assurance", "idle", "absolute"),
    [
        ("none", timedelta(minutes=30), timedelta(hours=24)),
        ("aal1", timedelta(minutes=30), timedelta(days=30)),
        ("aal2", timedelta(hours=1), timedelta(hours=24)),
        ("AAL3", timedelta(minutes=15), timedelta(hours=12)),
    ],
)
def test_a_level_sets_the_defaults(assurance: Any, idle: timedelta, absolute: timedelta) -> None:
    settings = SessionSettings(assurance=assurance)
    assert (settings.max_inactive_interval, settings.absolute_timeout) == (idle, absolute)
    assert settings.origin("absolute_timeout") == "default"


@pytest.mark.parametrize(
    ("values", "setting"),
    [
        ({"assurance": "aal1", "absolute_timeout": "31d"}, "absolute_timeout"),
        ({"assurance": "aal2", "absolute_timeout": "25h"}, "absolute_timeout"),
        ({"assurance": "aal2", "max_inactive_interval": "61m"}, "max_inactive_interval"),
        ({"assurance": "aal2", "max_inactive_interval": "never"}, "max_inactive_interval"),
        ({"assurance": "aal3", "max_inactive_interval": "16m"}, "max_inactive_interval"),
        ({"assurance": "aal3", "absolute_timeout": "13h"}, "absolute_timeout"),
        ({"assurance": "aal3", "session-timeout": 0}, "max_inactive_interval"),
    ],
)
def test_a_longer_timeout_is_refused(values: dict[str, Any], setting: str) -> None:
    with pytest.raises(ConfigError, match=f"longer than the .* of {values['assurance']}") as caught:
        SessionSettings(**values)
    assert caught.value.setting == setting


def test_shorter_timeouts_are_taken_and_aal1_asks_for_no_idle_timeout() -> None:
    settings = SessionSettings(assurance="aal3", absolute_timeout="2h", max_inactive_interval="5m")
    assert (settings.interval_ms, settings.lifetime_ms) == (300_000, 7_200_000)
    assert SessionSettings(assurance="aal1", max_inactive_interval="never").interval_ms == 0


def test_a_level_of_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSGESSIONS_ASSURANCE", "aal3")
    assert SessionSettings().lifetime_ms == 12 * 3_600_000


def test_an_unknown_level_is_refused_by_its_name_alone() -> None:
    with pytest.raises(ConfigError, match="did you mean 'aal") as caught:
        SessionSettings(assurance="aal4")  # type: ignore[arg-type]  # on purpose
    assert caught.value.setting == "assurance"
    assert "max_inactive_interval" not in str(caught.value)
