"""S-88: releases of the server with known holes are warned of."""

from __future__ import annotations

import logging

import pytest

from wsgessions.valkey import version
from wsgessions.valkey.version import ADVISORIES_AS_OF, Standing, parse, standing, warn_once, warning


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
        ("valkey", "9.1.0", Standing.GOOD),
        ("valkey", "10.0.0", Standing.GOOD),
        ("valkey", "8.1.8", Standing.VULNERABLE),
        ("valkey", "8.0.9", Standing.VULNERABLE),
        ("valkey", "8.0.0", Standing.VULNERABLE),
        ("valkey", "9.0.4", Standing.VULNERABLE),
        ("valkey", "9.0.0", Standing.VULNERABLE),
        ("valkey", "7.2.11", Standing.UNSUPPORTED),
        ("valkey", "unstable", Standing.UNSUPPORTED),
        ("redis", "7.2.0", Standing.GOOD),
        ("redis", "8.0.0", Standing.GOOD),
        ("redis", "7.0.15", Standing.UNSUPPORTED),
        ("something-else", "1.0", Standing.GOOD),
    ],
)
def test_each_major_line_has_its_own_floor(flavour: str, release: str, expected: Standing) -> None:
    assert standing(flavour, release) is expected


def test_the_warning_names_release_floor_and_date() -> None:
    text = warning("valkey", "9.0.2")
    assert text
    assert all(part in text for part in ("valkey 9.0.2", "8.1.9 or 9.0.5", ADVISORIES_AS_OF))


@pytest.mark.parametrize("release", ["9.1.2", "7.2.0"])
def test_there_is_nothing_to_warn_of_without_a_known_hole_or_without_support(release: str) -> None:
    assert warning("valkey", release) is None


def test_a_process_warns_once_of_a_release(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "_warned", set())
    with caplog.at_level(logging.WARNING, "wsgessions.valkey"):
        for release in ("9.0.2", "9.0.2", "9.1.2", "8.1.0"):
            warn_once("valkey", release)
    assert [record.message.split(",")[0] for record in caplog.records] == [
        "the store runs valkey 9.0.2",
        "the store runs valkey 8.1.0",
    ]
    assert {record.__dict__["event"] for record in caplog.records} == {"store_version"}
