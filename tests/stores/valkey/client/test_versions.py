"""S-88: releases of the server with known holes are warned of."""

from __future__ import annotations

import logging

import pytest

from wsgessions.stores.valkey.client import versions
from wsgessions.stores.valkey.client.versions import (
    ADVISORIES,
    ADVISORIES_AS_OF,
    MINIMUM,
    SECURE_FLOORS,
    Standing,
    parse,
    standing,
    warn_once,
    warning,
)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("9.1.2", (9, 1, 2)),
        ("8.1.10", (8, 1, 10)),
        ("8.1", (8, 1, 0)),
        ("9", (9, 0, 0)),
        ("9.0.5-rc1", (9, 0, 5)),
        ("9.0.5.1", (9, 0, 5)),
        ("", None),
        ("v9", None),
        ("unstable", None),
    ],
)
def test_releases_are_read_as_numbers(text: str, numbers: tuple[int, int, int] | None) -> None:
    assert parse(text) == numbers


@pytest.mark.parametrize(
    ("flavour", "release", "expected"),
    [
        ("valkey", "8.1.9", Standing.GOOD),
        ("valkey", "8.1.10", Standing.GOOD),
        ("valkey", "9.0.5", Standing.GOOD),
        ("valkey", "8.0.10", Standing.GOOD),
        ("valkey", "9.1.1", Standing.GOOD),
        ("valkey", "9.2.0", Standing.GOOD),
        ("valkey", "9.1.0", Standing.VULNERABLE),
        ("valkey", "10.0.0", Standing.GOOD),
        ("valkey", "8.1.8", Standing.VULNERABLE),
        ("valkey", "8.0.9", Standing.VULNERABLE),
        ("valkey", "8.0.0", Standing.VULNERABLE),
        ("valkey", "9.0.4", Standing.VULNERABLE),
        ("valkey", "9.0.0", Standing.VULNERABLE),
        ("valkey", "7.2.11", Standing.UNSUPPORTED),
        ("valkey", "unstable", Standing.UNSUPPORTED),
        ("redis", "7.2.16", Standing.GOOD),
        ("redis", "7.4.11", Standing.GOOD),
        ("redis", "8.2.10", Standing.GOOD),
        ("redis", "8.10.1", Standing.GOOD),
        ("redis", "8.12.0", Standing.GOOD),
        ("redis", "7.2.15", Standing.VULNERABLE),
        ("redis", "7.4.0", Standing.VULNERABLE),
        ("redis", "8.0.99", Standing.VULNERABLE),
        ("redis", "8.8.1", Standing.VULNERABLE),
        ("redis", "7.0.15", Standing.UNSUPPORTED),
        ("something-else", "1.0", Standing.GOOD),
    ],
)
def test_each_line_has_its_own_floor(flavour: str, release: str, expected: Standing) -> None:
    assert standing(flavour, release) is expected


@pytest.mark.parametrize(
    ("flavour", "release", "floor"),
    [
        ("valkey", "9.0.2", "9.0.5"),
        ("valkey", "8.0.0", "8.0.10"),
        ("redis", "7.4.2", "7.4.11"),
        ("redis", "8.0.4", "8.2.9"),
    ],
)
def test_the_warning_names_release_floor_holes_and_date(flavour: str, release: str, floor: str) -> None:
    """A line that gets no fixes any more is told the first of the next one."""
    text = warning(flavour, release)
    assert text
    assert text.startswith(
        f"the store runs {flavour} {release}, which has known security holes ({ADVISORIES[flavour]} "
    )
    assert text.endswith(f"advisories as of {ADVISORIES_AS_OF}): upgrade it to at least {floor}")


@pytest.mark.parametrize("flavour", ["valkey", "redis"])
def test_what_is_too_old_to_be_used_is_below_every_floor(flavour: str) -> None:
    assert MINIMUM[flavour] < min(SECURE_FLOORS[flavour])


@pytest.mark.parametrize("release", ["9.1.2", "7.2.0"])
def test_there_is_nothing_to_warn_of_without_a_known_hole_or_without_support(release: str) -> None:
    assert warning("valkey", release) is None


def test_a_process_warns_once_of_a_release(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "_warned", set())
    with caplog.at_level(logging.WARNING, "wsgessions.valkey"):
        for release in ("9.0.2", "9.0.2", "9.1.2", "8.1.0"):
            warn_once("valkey", release)
    assert [record.message.split(",")[0] for record in caplog.records] == [
        "the store runs valkey 9.0.2",
        "the store runs valkey 8.1.0",
    ]
    assert {record.__dict__["event"] for record in caplog.records} == {"store_version"}
