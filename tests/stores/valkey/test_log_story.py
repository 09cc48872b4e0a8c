"""An outage is one story in the log, and each line is complete without any configuration."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from tests.stores.valkey.links import soon, until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import started, store_at
from wsgessions.errors import StoreUnavailable
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.internal.outage import OUTAGE, Outage
from wsgessions.testing.stores.harness import change, created
from wsgessions.web.error_responses import error_response_for, note_refusal

BY_ITSELF = """
import logging
from wsgessions import SessionManager
SessionManager(store_url="memory:")
logging.getLogger("wsgessions.link").warning("store lost (%s)", "why")
logging.getLogger("wsgessions.link").info("of no interest")
"""
CONFIGURED = (
    """
import logging
logging.basicConfig(format="mine: %(message)s")
"""
    + BY_ITSELF
)


def said_by(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr


def test_without_any_configuration_a_line_has_time_level_and_name() -> None:
    lines = said_by(BY_ITSELF).splitlines()
    assert lines[-1].endswith(" WARNING wsgessions.link: store lost (why)")
    assert lines[-1][:2] == "20"
    assert not any("of no interest" in line for line in lines)


def test_a_handler_of_the_application_gets_the_lines_alone() -> None:
    assert said_by(CONFIGURED).splitlines() == ["mine: store lost (why)"]


async def test_an_outage_is_two_lines_of_one_level(
    server: RawServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with the number of requests that were answered 503; whatever else fails meanwhile is for debugging."""
    async with started(store_at(server.url, heartbeat=0.05, reap_interval=0.02)) as store:
        server.kill()
        await until(lambda: not store.link.connected)
        failed = StoreUnavailable("out of reach")
        for _ in range(41):
            note_refusal(error_response_for(failed))
        LogThrottle(logging.getLogger("wsgessions.request")).warning("response_replaced", "answered 503: %s", failed)
        server.start()
        await until(lambda: store.link.connected)
    warnings = [record for record in caplog.records if record.levelno > logging.INFO]
    assert [record.event for record in warnings] == ["store_lost", "store_back"]  # type: ignore[attr-defined]
    assert {record.levelname for record in warnings} == {"WARNING"}
    assert "41 requests answered 503" in warnings[1].getMessage()
    assert not OUTAGE.is_told


def test_requests_that_were_refused_while_the_store_hung_belong_to_its_loss() -> None:
    outage, link = Outage(), Outage()
    outage.note_refused()
    outage.begin(link)
    outage.note_refused()
    assert outage.end(link) == 2
    assert outage.end(link) == 0


async def test_a_link_that_is_closed_while_it_is_lost_ends_the_outage(server: RawServer) -> None:
    async with started(store_at(server.url)) as store:
        server.kill()
        await until(lambda: not store.link.connected)
        assert OUTAGE.is_told
    assert not OUTAGE.is_told


async def test_a_read_is_not_told_of_a_write(server: RawServer) -> None:
    """And a write is."""

    async with started(store_at(server.url)) as store:
        record = await created(store)
        server.pause()
        try:
            with pytest.raises(StoreUnavailable) as read:
                await store.load(record.key, deadline=soon(0.2))
            with pytest.raises(StoreUnavailable) as written:
                await store.apply(change(record, a=b"1"), deadline=soon(0.2))
        finally:
            server.resume()
    assert "write" not in str(read.value)
    assert "the write may or may not have happened" in str(written.value)
