"""Processes with other settings than the rest are found; those that have ended count no more (C-27)."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server, started, store_at
from wsgessions.stores.valkey.store import ValkeyStore

__all__ = ["shared_server"]

_numbers = itertools.count()
OLD = {"absolute_timeout": "24h", "cookie.name": "sid"}
NEW = {"absolute_timeout": "12h", "cookie.name": "sid"}


@pytest.fixture
def namespace() -> str:
    return f"settings{next(_numbers)}"


@pytest.fixture(autouse=True)
def seen(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="wsgessions.coherence")
    return caplog


@asynccontextmanager
async def process(server: RawServer, namespace: str, settings: dict[str, str]) -> AsyncIterator[ValkeyStore]:
    """A process that compares when a test tells it to."""
    async with started(store_at(server.url, namespace=namespace, compared=lambda: settings)) as store:
        yield store


async def rounds(*stores: ValkeyStore, times: int = 2) -> None:
    for _ in range(times):
        for store in stores:
            await store.settings_check.look()


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    return [each.getMessage() for each in caplog.records if getattr(each, "event", "") == event]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """All lines of the comparison."""
    return [each.getMessage() for each in caplog.records if getattr(each, "event", "").startswith("settings_")]


async def test_each_of_two_live_processes_tells_once_what_differs(
    shared_server: RawServer, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with process(shared_server, namespace, OLD) as old, process(shared_server, namespace, NEW) as new:
        await rounds(old, new, times=4)
    by_old, by_new = lines(caplog, "settings_differ")
    assert "absolute_timeout is 24h here and 12h there" in by_old
    assert "absolute_timeout is 12h here and 24h there" in by_new
    assert "cookie.name" not in by_old + by_new


async def test_processes_with_the_same_settings_are_quiet(
    shared_server: RawServer, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with process(shared_server, namespace, OLD) as one, process(shared_server, namespace, dict(OLD)) as two:
        await rounds(one, two)
        compared = await one.compare_settings()
    assert (compared.others, compared.deviating) == (1, [])
    assert not told(caplog)


async def test_a_process_that_ended_without_a_word_counts_no_more(
    shared_server: RawServer, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its record stays for a while; the process that takes its place has other settings by right."""
    async with process(shared_server, namespace, OLD) as killed:
        await rounds(killed)
        async with process(shared_server, namespace, NEW) as next_one:
            await rounds(next_one, times=3)
            (left,) = (await next_one.compare_settings()).deviating
    assert [each.setting for each in left.differences] == ["absolute_timeout"]
    assert not told(caplog)


async def test_a_process_that_closes_takes_its_settings_along(shared_server: RawServer, namespace: str) -> None:
    async with process(shared_server, namespace, NEW) as stays:
        async with process(shared_server, namespace, OLD) as leaves:
            await rounds(leaves)
            assert (await stays.compare_settings()).others == 1
        assert (await stays.compare_settings()).others == 0


async def test_the_end_of_a_rolling_restart_is_told_and_begins_anew(
    shared_server: RawServer, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with process(shared_server, namespace, NEW) as new:
        for _ in range(2):
            async with process(shared_server, namespace, OLD) as old:
                await rounds(new, old)
            await rounds(new)
    assert len(lines(caplog, "settings_agree")) == 2
    assert len([line for line in lines(caplog, "settings_differ") if "12h here" in line]) == 2


async def test_a_comparison_from_outside_leaves_no_trace(
    shared_server: RawServer, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As that of `wsgessions doctor`, which may have the settings of another directory."""
    async with process(shared_server, namespace, OLD) as one, process(shared_server, namespace, NEW) as doctor:
        await rounds(one)
        (found,) = (await doctor.compare_settings()).deviating
        await rounds(one)
    assert found.name.endswith(f"(process {os.getpid()})")
    assert str(found.differences[0]) == "absolute_timeout is 12h here and 24h there"
    assert not told(caplog)


async def test_what_others_have_written_under_the_key_is_no_settings(shared_server: RawServer, namespace: str) -> None:
    """Damage, and the settings of a later release."""
    async with process(shared_server, namespace, OLD) as store:
        assert store.segments is not None
        key = next(iter(store.segments)).settings
        later = b"\xff" * 7 + b"\xff{}"
        await store.link.request(b"HSET", key, b"short", b"x", b"other", later, b"text", later[:8] + b"no json")
        compared = await store.compare_settings()
    assert (compared.others, compared.deviating) == (2, [])
