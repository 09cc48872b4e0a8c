"""What a store in aiocache does beyond the contract: back ends that hang, refuse, forget, or hold no sessions."""

from __future__ import annotations

import asyncio
import logging
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiocache
import pytest

from tests.asgi_driver import Browser, answering
from tests.stores.aiocache.back_ends import alias_of, back_end
from tests.stores.aiocache.memcached import PROGRAM
from wsgessions import SessionMiddleware
from wsgessions.errors import ConfigError, NonStopTimeout, RecordTooNew, StoreRefused, StoreUnavailable
from wsgessions.manager.store_factory import open_store
from wsgessions.record import CommitStatus, NewSession, SessionRecord
from wsgessions.record.struct import replace
from wsgessions.settings import SessionSettings
from wsgessions.store.capabilities import Capability, LimitedStore, SecretKeeping, find_capability
from wsgessions.stores.aiocache import document_slots
from wsgessions.stores.aiocache.slots import Cells
from wsgessions.stores.aiocache.store import AiocacheStore
from wsgessions.testing.faults.proxies import FaultProxy
from wsgessions.testing.stores.harness import change, created, new_key, number, stored, successor_of

SERVERS = ["redis", "memcached stand-in", *(["memcached"] if PROGRAM else [])]


@pytest.fixture(scope="module", params=SERVERS)
def config(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    with back_end(request.param) as config:
        yield config


@pytest.fixture(scope="module", params=SERVERS[1:])
def memcached(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    with back_end(request.param) as config:
        yield config


@asynccontextmanager
async def opened(alias: str, **options: Any) -> AsyncIterator[AiocacheStore]:
    store = AiocacheStore(alias, **options)
    try:
        await store.start()
        yield store
    finally:
        await store.close()


async def test_commits_of_two_processes_are_all_kept(config: dict[str, Any]) -> None:
    """K-02, K-03: each has its connections, and knows nothing of the other's locks."""
    alias = alias_of(**config)
    async with opened(alias) as one, opened(alias) as other:
        record = await created(one)
        deltas = [replace(change(record, **{f"a{at}": number(at)}), increments={"n": 1}) for at in range(40)]
        await asyncio.gather(*((one, other)[at % 2].apply(delta) for at, delta in enumerate(deltas)))
        expected = {f"a{at}": number(at) for at in range(40)} | {"n": number(40)}
        assert (await stored(one, record)).attributes == (await stored(other, record)).attributes == expected


async def test_of_two_processes_one_rotates(config: dict[str, Any]) -> None:
    """K-12."""
    alias = alias_of(**config)
    async with opened(alias) as one, opened(alias) as other:
        for _ in range(10):
            record = await created(one)
            successors = [successor_of(record.key), successor_of(record.key)]
            outcomes = await asyncio.gather(
                *(store.rotate(change(record), to) for store, to in zip((one, other), successors, strict=True))
            )
            assert {outcome.status for outcome in outcomes} == {CommitStatus.APPLIED, CommitStatus.GONE}
            assert [await one.load(to.key) is not None for to in successors].count(True) == 1


async def test_a_back_end_that_hangs_is_given_up_and_no_answer_is_taken_for_another(config: dict[str, Any]) -> None:
    """F-00b. An answer that comes late must not reach the next visitor."""
    async with FaultProxy((config["endpoint"], config["port"])) as proxy:
        alias = alias_of(**{**config, "endpoint": proxy.host, "port": proxy.port}, timeout=3)
        async with opened(alias) as store:
            records = [await created(store, {"own": number(at)}) for at in range(6)]
            proxy.hold()
            tasks = [asyncio.create_task(store.load(record.key)) for record in records]
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert {isinstance(answer, StoreUnavailable) for answer in answers} == {True}
            proxy.heal()
            for _ in range(3):
                found = await asyncio.gather(*(store.load(record.key) for record in records))
                assert found == records


async def test_who_stops_waiting_leaves_no_answer_behind(config: dict[str, Any]) -> None:
    """R-36."""
    async with FaultProxy((config["endpoint"], config["port"])) as proxy:
        alias = alias_of(**{**config, "endpoint": proxy.host, "port": proxy.port})
        async with opened(alias) as store:
            records = [await created(store, {"own": number(at)}) for at in range(4)]
            proxy.hold()
            tasks = [asyncio.create_task(store.load(record.key)) for record in records]
            with pytest.raises(NonStopTimeout):
                await store.load(records[0].key, deadline=time.monotonic() + 0.05)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            proxy.heal()
            assert await asyncio.gather(*(store.load(record.key) for record in records)) == records


async def test_a_back_end_that_is_not_there_says_nothing_about_sessions(config: dict[str, Any]) -> None:
    """F-00a."""
    async with FaultProxy((config["endpoint"], config["port"])) as proxy:
        alias = alias_of(**{**config, "endpoint": proxy.host, "port": proxy.port})
        async with opened(alias) as store:
            record = await created(store)
            proxy.refuse()
            proxy.end_connections()
            with pytest.raises(StoreUnavailable):
                await store.load(record.key)
            await proxy.accept()
            async with asyncio.timeout(20):
                while not await loads(store, record):  # noqa: ASYNC110 - the end of a real outage
                    await asyncio.sleep(0.01)


async def loads(store: AiocacheStore, record: SessionRecord) -> bool:
    try:
        return await store.load(record.key) == record
    except StoreUnavailable:
        return False


async def test_what_is_no_session_is_left_alone(config: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """R-20, and no document of another visitor is ever served."""
    document_slots._log._lines.clear()
    alias = alias_of(**config)
    async with opened(alias) as store:
        cells, other = Cells(alias), await created(store, {"secret": b"1"})
        foreign = (await cells.read(f"wsg:{other.key.digest.hex()}")).value
        assert foreign is not None
        for raw in (b"", b"x", b"wsd", b"wsd\x01", b"wsd\x01garbage", foreign, foreign[:-3]):
            key = new_key()
            assert await cells.add(f"wsg:{key.digest.hex()}", raw, 60)
            assert await store.load(key) is None
            assert await store.create(NewSession(key, {}, 1000, 1000)) is None
            assert (await store.apply(replace(change(other), key=key))).status is CommitStatus.GONE
            assert not await store.delete(key)
            assert (await cells.read(f"wsg:{key.digest.hex()}")).value == raw
        await cells.close()
    assert "damaged" in caplog.text


async def test_what_a_later_release_has_written_is_left_alone(config: dict[str, Any]) -> None:
    """R-22."""
    alias = alias_of(**config)
    async with opened(alias) as store:
        cells, key = Cells(alias), new_key()
        await cells.add(f"wsg:{key.digest.hex()}", b"wsd\x02later", 60)
        with pytest.raises(RecordTooNew):
            await store.load(key)
        await cells.close()


async def test_ended_and_moved_sessions_leave_no_attributes_behind(config: dict[str, Any]) -> None:
    alias = alias_of(**config)
    async with opened(alias) as store:
        cells = Cells(alias)
        for moves in (False, True):
            record = await created(store, {"a": b"conspicuous"})
            name = f"wsg:{record.key.digest.hex()}"
            assert b"conspicuous" in ((await cells.read(name)).value or b"")
            await (store.rotate(change(record), successor_of(record.key)) if moves else store.delete(record.key))
            assert b"conspicuous" not in ((await cells.read(name)).value or b"conspicuous")
        await cells.close()


@pytest.mark.parametrize("forward_ms", [0, 10_000])
async def test_a_rotation_that_was_broken_off_is_brought_to_its_end(
    config: dict[str, Any], forward_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K-12: by whoever sends it again, and in the grace of a renewal by whoever asks for the old key (S-07)."""
    alias = alias_of(**config)
    async with opened(alias) as store:
        record = await created(store, {"a": b"1"})
        delta, to = change(record, b=b"2"), successor_of(record.key)._replace(forward_ms=forward_ms)
        with monkeypatch.context() as broken:

            async def lost(*_: object) -> bool:
                raise StoreUnavailable("the process dies here")

            broken.setattr(Cells, "add", lost)
            with pytest.raises(StoreUnavailable):
                await store.rotate(delta, to)
        assert await store.load(to.key) is None
        if forward_ms:
            assert await store.load(record.key) is not None
        else:
            assert await store.load(record.key) is None
            assert (await store.rotate(delta, to)).status is CommitStatus.APPLIED
        found = await store.load(to.key)
        assert isinstance(found, SessionRecord)
        assert found.attributes == {"a": b"1", "b": b"2"}


async def test_the_back_end_forgets_what_is_over() -> None:
    """It is told a time somewhat after the end: nobody sweeps a cache."""
    with back_end("redis") as config:
        alias = alias_of(**config)
        async with opened(alias) as store:
            record = await created(store, idle=100, life=10_000)
            cache: Any = aiocache.caches.create(alias)
            assert 100 < await cache.client.ttl(f"wsg:{record.key.digest.hex()}") <= 165
            await cache.client.aclose()


async def test_memcached_keeps_sessions_of_more_than_a_month(memcached: dict[str, Any]) -> None:
    """It takes a longer time for an instant."""
    async with opened(alias_of(**memcached)) as store:
        record = await created(store, idle=0, life=90 * 86_400)
        assert await stored(store, record) == record


async def test_memcached_refuses_what_is_too_large(memcached: dict[str, Any]) -> None:
    async with opened(alias_of(**memcached)) as store:
        record = await created(store, {"a": b"1"})
        with pytest.raises(StoreRefused, match="max_session_bytes"):
            await store.apply(change(record, a=bytes(1024 * 1024)))
        assert await stored(store, record) == record


async def test_the_switch_that_turns_caches_off_turns_no_sessions_off(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOCACHE_DISABLE", "1")
    async with opened(alias_of(**config)) as store:
        record = await created(store, {"a": b"1"})
        assert await stored(store, record) == record


async def test_the_namespace_of_the_alias_counts(config: dict[str, Any]) -> None:
    one, other = alias_of(**config, namespace="one"), alias_of(**config, namespace="other")
    async with opened(one) as store, opened(other) as elsewhere:
        record = await created(store)
        assert await elsewhere.load(record.key) is None


async def test_a_closed_store_refuses_calls_until_it_is_started_again(config: dict[str, Any]) -> None:
    async with opened(alias_of(**config)) as store:
        record = await created(store)
        await store.close()
        with pytest.raises(StoreUnavailable, match="start it again"):
            await store.load(record.key)
        await store.start()
        assert await store.load(record.key) == record


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("memory", {Capability.KEEPING}),
        ("redis", set()),
        ("memcached stand-in", {Capability.KEEPING}),
        ("without swap", {Capability.KEEPING, Capability.ATOMIC_COMMITS}),
    ],
)
async def test_a_store_says_what_its_back_end_lacks(name: str, lacks: set[Capability]) -> None:
    with back_end(name) as config:
        store = open_store(SessionSettings(store_url=f"aiocache:{alias_of(**config)}"))
        limited = find_capability(store, LimitedStore)
        assert limited is not None
        always = set(Capability) - {Capability.KEEPING, Capability.ATOMIC_COMMITS}
        assert limited.missing_capabilities == lacks | always
        assert find_capability(store, SecretKeeping) is not None


def test_an_alias_that_is_not_configured_is_an_error_of_configuration() -> None:
    with pytest.raises(ConfigError, match=r"caches\.set_config"):
        SessionMiddleware(answering(len), store_url="aiocache:nowhere")


@pytest.mark.parametrize(
    "config",
    [{"cache": "aiocache.NoSuchCache"}, {"cache": "nosuch.module.Cache"}, {"cache": "aiocache.RedisCache", "x": 1}],
)
def test_an_alias_that_cannot_be_made_is_an_error_of_configuration(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="check its configuration"):
        AiocacheStore(alias_of(**config))


def test_another_release_of_aiocache_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiocache, "__version__", "1.0.0")
    with pytest.raises(ConfigError, match=r"aiocache 1\.0\.0 .*wsgessions\[aiocache\]"):
        AiocacheStore("default")


def test_aiocache_that_is_not_installed_is_an_error_of_configuration() -> None:
    program = (
        "import sys\n"
        "sys.modules['aiocache'] = None\n"
        "from wsgessions.settings import SessionSettings\n"
        "from wsgessions.manager.store_factory import open_store\n"
        "open_store(SessionSettings(store_url='aiocache:a'))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (
        "ConfigError: setting 'store_url': aiocache is not installed (pip install 'wsgessions[aiocache]')"
        in done.stderr
    )


@pytest.mark.parametrize(
    ("name", "more", "problem"),
    [
        ("memory", {}, "when the process ends"),
        ("memory", {"allow_eviction": True}, "when the process ends"),
        ("memcached stand-in", {}, "may forget sessions"),
        ("without swap", {}, "may forget sessions"),
        ("memcached stand-in", {"allow_eviction": True}, None),
        ("redis", {}, None),
        ("redis", {"endpoint": "192.0.2.1"}, "in clear text"),
        ("redis", {"endpoint": "192.0.2.1", "allow_clear_text": True}, None),
        ("memcached stand-in", {"endpoint": "192.0.2.1", "allow_eviction": True}, "in clear text"),
    ],
)
def test_production_refuses_what_forgets_or_is_read_on_the_way(
    name: str, more: dict[str, Any], problem: str | None
) -> None:
    """R-07."""
    with back_end(name) as config:
        alias = alias_of(**config | {key: value for key, value in more.items() if key == "endpoint"})
        accepted = {key: value for key, value in more.items() if key != "endpoint"}
        settings = SessionSettings(store_url=f"aiocache:{alias}", env="production", **accepted)
        if problem is None:
            open_store(settings)
        else:
            with pytest.raises(ConfigError, match=problem):
                open_store(settings)


async def test_production_asks_for_an_append_only_file(caplog: pytest.LogCaptureFixture) -> None:
    """R-07: the server of the tests keeps none."""
    with back_end("redis") as config:
        url = f"aiocache:{alias_of(**config)}"
        refused = open_store(SessionSettings(store_url=url, env="production"))
        with pytest.raises(ConfigError, match=r"keeps no append-only file.*allow_volatile"):
            await refused.start()
        await refused.close()
        accepted = open_store(SessionSettings(store_url=url, env="production", allow_volatile=True))
        await accepted.start()
        await accepted.close()
    assert [record.levelno for record in caplog.records if record.__dict__.get("event") == "volatile_store"] == [
        logging.WARNING
    ]


async def test_a_redis_that_evicts_is_used_if_the_settings_say_so(caplog: pytest.LogCaptureFixture) -> None:
    """C-18."""
    with back_end("redis") as config:
        alias = alias_of(**config)
        cache: Any = aiocache.caches.create(alias)
        await cache.client.config_set("maxmemory-policy", "allkeys-lru")
        await cache.client.aclose()
        with pytest.raises(ConfigError, match="allkeys-lru"):
            async with opened(alias):
                pass
        async with opened(alias, allow_eviction=True) as store:
            assert Capability.KEEPING in store.missing_capabilities
        assert [record.levelno for record in caplog.records if record.__dict__.get("event") == "eviction"] == [
            logging.WARNING
        ]


async def test_an_application_keeps_its_sessions_there(config: dict[str, Any]) -> None:
    """Through all layers, with a second application that stands for another server."""

    def work(session: Any) -> Any:
        session["visits"] = session.get("visits", 0) + 1
        return session["visits"]

    url, namespace, browser = f"aiocache:{alias_of(**config)}", f"n{secrets.token_hex(4)}", Browser()
    apps = [SessionMiddleware(answering(work), store_url=url, namespace=namespace) for _ in range(2)]
    assert [(await browser.request(apps[at % 2])).data for at in range(4)] == [1, 2, 3, 4]
    for app in apps:
        await app.manager.close()
