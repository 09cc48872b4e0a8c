"""What a node keeps in memory is what the stream says, in the order of the stream (C-1 to C-3b, F-13, F-14)."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.stores.valkey.caching_node import CachingNode, caching_node, node_of
from tests.stores.valkey.links import hear, soon, until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.resp import ask
from tests.stores.valkey.shared_server import shared_server, started, store_at
from wsgessions.errors import StoreRefused
from wsgessions.record import CommitOutcome, CommitStatus, SessionKey, SessionRecord, StoredAttributes
from wsgessions.store.address import Address, in_turn
from wsgessions.store.cache_statistics import Loss
from wsgessions.stores.valkey.client.connection import Connection
from wsgessions.stores.valkey.client.requests import CommandRequest, Words
from wsgessions.stores.valkey.format.segments import Segments
from wsgessions.stores.valkey.sessions.load import Reading
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.faults.proxies import FaultProxy
from wsgessions.testing.stores.harness import change, created, stored, successor_of

__all__ = ["shared_server"]


@pytest.fixture
async def node(shared_server: RawServer) -> AsyncIterator[CachingNode]:
    """The node that keeps copies, with a lease that has begun."""
    async with caching_node(shared_server.url) as node:
        await node.may_serve()
        yield node


@pytest.fixture
async def other(shared_server: RawServer, node: CachingNode) -> AsyncIterator[ValkeyStore]:
    """Somebody else, who keeps none."""
    async with started(store_at(shared_server.url, namespace=node.store._namespace)) as other:
        yield other


@pytest.fixture
def command(shared_server: RawServer) -> Iterator[Callable[..., Any]]:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(shared_server.path)
        yield lambda *words: ask(client, *words)


async def changed_by(store: Any, record: SessionRecord, value: bytes = b"theirs") -> SessionRecord:
    """Somebody's commit on top of ``record``; the state after it."""
    delta = change(record, a=value)
    outcome: CommitOutcome = await store.apply(delta)
    assert outcome.status is CommitStatus.APPLIED
    return record.after(delta, outcome)


# -- what keeps a copy, and what ends it -------------------------------------------------------------------------------


async def test_what_was_created_loaded_or_committed_is_served(node: CachingNode, other: ValkeyStore) -> None:
    mine, theirs = await created(node.cache), await created(other)
    await stored(node.cache, theirs)
    assert node.recalls(mine) == mine
    assert node.recalls(theirs) == theirs
    for each in (mine, theirs):
        after = await changed_by(node.cache, each, b"mine")
        assert node.recalls(after) == after == await stored(other, after)


@pytest.mark.parametrize("commits", [0, 1, 3])
async def test_after_own_commits_what_others_write_still_ends_the_copy(
    node: CachingNode, other: ValkeyStore, commits: int
) -> None:
    """Fact 4: the server hides own writes, and forgets the key nevertheless."""
    record = await created(node.cache)
    for number in range(commits):
        record = await changed_by(node.cache, record, b"%d" % number)
    for number in range(3):
        record = await changed_by(other, record, b"theirs %d" % number)
        await node.catches_up()
        assert node.recalls(record, version=0) is None
        assert await node.cache.load(record.key) == record
        record = await changed_by(node.cache, record, b"again")
        assert node.recalls(record) == record


async def test_an_own_rotation_serves_the_successor_and_what_others_write_ends_that(
    node: CachingNode, other: ValkeyStore
) -> None:
    record = await created(node.cache)
    to = successor_of(record.key)
    delta = change(record, a=b"1")
    after = record.after(delta, await node.cache.rotate(delta, to), to)
    assert node.recalls(record) is None
    assert node.recalls(after) == after
    await changed_by(other, after)
    await node.catches_up()
    assert node.recalls(after) is None


@pytest.mark.parametrize("end", ["delete", "rotate"])
async def test_an_end_elsewhere_ends_the_copy(node: CachingNode, other: ValkeyStore, end: str) -> None:
    record = await created(node.cache)
    if end == "delete":
        await other.delete(record.key)
    else:
        await other.rotate(change(record), successor_of(record.key))
    await node.catches_up()
    assert node.recalls(record) is None
    assert await node.cache.load(record.key) is None


async def test_an_own_end_ends_the_copy(node: CachingNode) -> None:
    record = await created(node.cache)
    await node.cache.delete(record.key)
    assert node.recalls(record) is None


async def test_a_refused_commit_ends_the_copy(node: CachingNode, other: ValkeyStore) -> None:
    """C-9: every reply to an own write replaces or removes it."""
    record = await created(node.cache)
    await other.delete(record.key)
    assert (await node.cache.apply(change(record, a=b"1"))).status is CommitStatus.GONE
    assert node.cache.heap.peek(record.key.digest) is None


async def test_a_commit_on_top_of_what_others_wrote_meanwhile_serves_the_whole(
    node: CachingNode, other: ValkeyStore
) -> None:
    """C-9, hazard of merging: the copy is theirs and ours together."""
    base = await created(node.cache, {"a": b"0", "b": b"0", "gone": b"0"})
    outcome = await other.apply(change(base, b=b"theirs"))
    assert outcome.status is CommitStatus.APPLIED
    mine = change(base, a=b"mine")
    after = base.after(mine, await node.cache.apply(mine))
    assert node.recalls(after) == after == await stored(other, base)
    assert after.attributes == {"a": b"mine", "b": b"theirs", "gone": b"0"}


async def test_touches_never_end_a_copy(node: CachingNode, other: ValkeyStore) -> None:
    """C-7, C-16: theirs and ours; and ours move its end."""
    record = await created(node.cache)
    await other.touch([record.key])
    await node.cache.touch([record.key])
    await node.catches_up()
    served = node.recalls(record)
    assert served is not None
    assert served.version == record.version
    assert served.expires_ms >= record.expires_ms
    assert node.cache.statistics.invalidations == 0


async def test_a_touch_that_may_have_come_too_late_moves_no_end(node: CachingNode) -> None:
    """C-16: the store passes over a session whose time was over, and does not say so."""
    record = await created(node.cache, idle=0.001)
    await until(lambda: node.store.clock.now_ms() > record.expires_ms)
    await node.cache.touch([record.key])
    snapshot = node.cache.heap.peek(record.key.digest)
    assert snapshot is not None
    assert snapshot.record.expires_ms == record.expires_ms


@pytest.mark.parametrize("work", ["create", "load", "changes", "commit"])
async def test_scripts_that_the_server_has_forgotten_leave_nothing_untracked(
    node: CachingNode, other: ValkeyStore, command: Callable[..., Any], work: str
) -> None:
    """Fact 5b: the permission is spent by NOSCRIPT, so the pair goes out again."""
    theirs = await created(other)
    known = await changed_by(node.cache, await created(node.cache))
    await changed_by(other, known)
    command("SCRIPT", "FLUSH")
    match work:
        case "create":
            record = await created(node.cache)
        case "load":
            record = await stored(node.cache, theirs)
        case "changes":
            record = await stored(node.cache, known)
        case _:
            record = await stored(node.cache, theirs)
            command("SCRIPT", "FLUSH")
            record = await changed_by(node.cache, record)
    # A refused commit ends the copy, also if it is carried out when it is sent again.
    assert node.holds_current(record) == (work != "commit")
    await stored(node.cache, record)
    await changed_by(other, record)
    await node.catches_up()
    assert not node.holds_current(record)


def test_an_untracked_commit_leaves_nothing_to_serve() -> None:
    """C-3, C-9: the permission was refused, so the server tells nothing of this session: a base for reads stays."""
    node, record = _unstarted()
    delta = change(record, a=b"1")
    outcome = CommitOutcome(CommitStatus.APPLIED, record.version + 1, record.version, record.expires_ms)
    node.store.tracking.note_commit(delta, None, outcome, tracked=False)
    snapshot = node.cache.heap.peek(record.key.digest)
    assert snapshot is not None
    assert not snapshot.current
    assert snapshot.record.version == record.version + 1


# -- losses ------------------------------------------------------------------------------------------------------------


async def test_flushing_everything_ends_all_copies(server: RawServer) -> None:
    """C-1, F-13."""
    async with caching_node(server.url) as node:
        await node.may_serve()
        record = await created(node.cache)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(server.path)
            ask(client, "FLUSHALL")
        await node.catches_up()
        assert node.recalls(record) is None
        assert node.cache.statistics.losses[Loss.FLUSHED] == 1
        assert await node.cache.load(record.key) is None
        await node.may_serve()
        assert node.cache.statistics.losses[Loss.PUSHES_LOST] == 0


async def test_a_link_that_is_killed_takes_all_copies_along(
    node: CachingNode, other: ValkeyStore, command: Callable[..., Any]
) -> None:
    """C-1, F-13: what is written while there is no link is never missed."""
    record = await created(node.cache)
    command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await until(lambda: node.cache.statistics.losses[Loss.CONNECTION] > 0)
    assert node.recalls(record) is None
    record = await changed_by(other, record)
    await node.may_serve()
    assert await node.cache.load(record.key) == record
    assert node.recalls(record) == record


async def test_a_small_table_of_tracked_keys_costs_hits_and_nothing_else(server: RawServer) -> None:
    """C-18, fact 10."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(server.path)
        ask(client, "CONFIG", "SET", "tracking-table-max-keys", "10")
    async with (
        caching_node(server.url) as node,
        started(store_at(server.url, namespace=node.store._namespace)) as other,
    ):
        await node.may_serve()
        records = [await created(node.cache) for _ in range(60)]
        await until(lambda: sum(map(node.holds_current, records)) <= 10)
        changed = [await changed_by(other, record) for record in records]
        await node.catches_up()
        assert [node.recalls(record, version=0) for record in records] == [None] * 60
        assert [await node.cache.load(record.key) for record in records] == changed


@pytest.mark.parametrize("denied", ["-client|tracking", "-client|caching"])
async def test_a_server_that_tracks_nothing_is_asked_each_time(server: RawServer, denied: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(server.path)
        ask(client, "ACL", "SETUSER", "u", "on", ">p", "~*", "&*", "+@all", denied)
    address = Address.parse(server.url).signed_in("u", "p")
    node = node_of(ValkeyStore(in_turn([address]), reap_interval=None))
    async with started(store_at(server.url, namespace="wsg")) as other:
        await node.cache.start()
        record = await created(node.cache)
        assert node.recalls(record) is None
        record = await changed_by(node.cache, record)
        for _ in range(3):
            record = await changed_by(other, record)
            assert await node.cache.load(record.key) == record
            assert node.recalls(record) is None
        assert not node.lease.fresh
        await node.cache.close()


async def test_a_server_that_tracks_nothing_any_more_is_not_taken_to_do_so(node: CachingNode) -> None:
    """A connection may be lost between its checks and its use, and the next one be refused."""

    class Refusing:
        async def request(self, *args: object) -> None:
            raise StoreRefused("no", server_code="NOPERM")

    assert node.store.tracking.on
    await node.store.tracking.begin(Refusing())  # type: ignore[arg-type]  # all that is asked of it
    assert not node.store.tracking.on


@pytest.mark.parametrize("octets", [1, 20, 40, 60, 80])
async def test_a_link_that_breaks_inside_of_the_replies_spoils_no_answer(shared_server: RawServer, octets: int) -> None:
    """F-07: the replies over the next one are not counted on to those that had come."""
    async with FaultProxy(shared_server.path) as proxy, started(store_at(shared_server.url)) as other:
        record = await created(other, {"a": b"x" * 100})
        url, namespace = f"valkey://{proxy.host}:{proxy.port}", other._namespace
        async with started(store_at(url, namespace=namespace)) as store:
            node = node_of(store_at(url), lease=0)
            store.feed(node.cache, node.lease)
            proxy.cut_after(octets)
            assert await store.load(record.key, deadline=soon()) == record
            assert proxy.counts.connections == 2


# -- one stream, cut anywhere (F-14) -----------------------------------------------------------------------------------


class Stream:
    """A connection without a socket: what it hears comes from the test."""

    def __init__(self, node: CachingNode) -> None:
        self.node = node
        self.connection = Connection(
            stream=node.store.tracking.stream,
            on_push=node.store.tracking.take_push,
            on_room=lambda: None,
            on_lost=lambda _: pytest.fail("lost"),
        )

    def expect(self, key: SessionKey) -> Reading:
        """Have a read of this session under way."""
        reading = _reading(self.node, key)
        reading.wire = reading.pack(self.node.store.link)
        reading.sent_at, reading.future = time.monotonic(), asyncio.get_running_loop().create_future()
        self.connection.waiting.append(reading)
        return reading

    def hear(self, octets: bytes, cut: int) -> None:
        for part in (octets[:cut], octets[cut:]):
            if part:
                hear(self.connection, part)


def _unstarted() -> tuple[CachingNode, SessionRecord]:
    """A node that takes its link to be tracked, and a session of which it has a copy."""
    store = store_at("unix:///nowhere")
    store.agreement.segments = Segments("t", "/", 64)
    store.tracking.on = True
    node = node_of(store)
    node.lease.renew(node.lease.clock())
    key = successor_of(SessionKey(0, b"")).key
    record = SessionRecord(key, 1, 1, 1, 0, 2**52, 2**52, StoredAttributes({"a": b"0"}))
    node.cache.on_loaded(record)
    return node, record


def _reading(node: CachingNode, key: SessionKey) -> Reading:
    store = node.store
    assert store.segments is not None
    segment = store.segments.of(key)
    return Reading(deadline=soon(), key=key, segment=segment, since=None, tracking=store.tracking, clock=store.clock)


class Overheard:
    """The octets in which a real server told one node of a read, of a foreign change, and of a read after it."""

    def __init__(self, server: RawServer) -> None:
        self._client = socket.socket(socket.AF_UNIX)
        self._client.connect(server.path)
        self.say(b"HELLO 3\r\nCLIENT TRACKING ON OPTIN NOLOOP\r\n")

    def say(self, octets: bytes) -> bytes:
        """Send commands; all that comes until they are answered."""
        end = b"$7\r\nthe end\r\n"
        self._client.sendall(octets + b"*2\r\n$4\r\nECHO\r\n" + end)
        heard = b""
        while not heard.endswith(end):
            heard += self._client.recv(65536)
        return heard.removesuffix(end)

    def read(self, store: ValkeyStore, key: SessionKey) -> bytes:
        assert store.segments is not None
        segment = store.segments.of(key)
        words = [[b"TIME"], [b"ZSCORE", segment.expiries, key.digest], [b"CLIENT", b"CACHING", b"YES"]]
        words.append([b"HGETALL", segment.record(key)])
        return self.say(b"".join(b"*%d\r\n" % len(each) + b"".join(map(_bulk, each)) for each in words))

    def close(self) -> None:
        self._client.close()


def _bulk(word: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(word), word)


@pytest.fixture
async def overheard(shared_server: RawServer) -> AsyncIterator[tuple[ValkeyStore, list[SessionRecord], list[bytes]]]:
    """A store; a session before and after a change; the read of the one, the push, and the read of the other."""
    ear = Overheard(shared_server)
    async with started(store_at(shared_server.url)) as store:
        before = await created(store, {"a": b"0"})
        first = ear.read(store, before.key)
        after = await changed_by(store, before)
        push = ear.say(b"")
        assert push.startswith(b">2\r\n$10\r\ninvalidate")
        yield store, [before, after], [first, push, ear.read(store, before.key)]
    ear.close()


def _listening(store: ValkeyStore) -> Stream:
    node = node_of(store_at("unix:///nowhere"))
    node.store.agreement.segments = store.segments
    node.store.tracking.on = True
    node.lease.renew(node.lease.clock())
    return Stream(node)


async def test_a_push_behind_the_reply_leaves_no_older_state_wherever_the_stream_is_cut(
    overheard: tuple[ValkeyStore, list[SessionRecord], list[bytes]],
) -> None:
    """F-14: also for whoever awaited the reply and gets to run only when the push has been heard."""
    store, (before, _), (first, push, _) = overheard
    for cut in range(len(first + push) + 1):
        stream = _listening(store)
        reading = stream.expect(before.key)
        stream.hear(first + push, cut)
        await asyncio.sleep(0)
        assert reading.found == before
        assert stream.node.recalls(before) is None
        assert stream.node.cache.get_base(before.key) == before


async def test_a_reply_behind_the_push_is_the_new_state_wherever_the_stream_is_cut(
    overheard: tuple[ValkeyStore, list[SessionRecord], list[bytes]],
) -> None:
    """F-14: a read that is under way survives the push."""
    store, (before, after), (first, push, second) = overheard
    for cut in range(len(first + push + second) + 1):
        stream = _listening(store)
        readings = [stream.expect(before.key), stream.expect(before.key)]
        stream.hear(first + push + second, cut)
        assert [reading.found for reading in readings] == [before, after]
        assert stream.node.recalls(before) == after


async def _read_in_parts(node: CachingNode, key: SessionKey) -> tuple[Reading, list[Any]]:
    """A read that rests on the copy, and the replies to it, of which it has not been told."""
    reading = _reading(node, key)
    reading.wire = reading.pack(node.store.link)
    reading.sent_at, reading.future = time.monotonic(), asyncio.get_running_loop().create_future()
    return reading, await node.store.link.pipeline(reading.commands)


async def test_an_answer_that_rests_on_a_copy_is_put_together_with_it(node: CachingNode, other: ValkeyStore) -> None:
    record = await created(node.cache, {"a": b"0", "b": b"0"})
    after = await changed_by(other, record)
    reading, replies = await _read_in_parts(node, record.key)
    for reply in replies:
        reading.take(reply)
    assert not reading.void
    assert node.cache.get_base(record.key) == reading.found == after


async def test_an_answer_that_rests_on_a_copy_that_was_dropped_is_void(node: CachingNode, other: ValkeyStore) -> None:
    """C-1: what has changed since a state of a lost history makes no state of this one."""
    record = await created(node.cache, {"a": b"0", "b": b"0"})
    await changed_by(other, record)
    reading, replies = await _read_in_parts(node, record.key)
    node.cache.on_lost(Loss.TIMELINE)
    for reply in replies:
        reading.take(reply)
    assert reading.void
    assert reading.found is None
    assert node.cache.get_base(record.key) is None


@pytest.mark.parametrize("between", [0, 1])
async def test_only_the_push_right_behind_the_reply_is_about_our_own_change(between: int) -> None:
    """Fact 6: one that comes behind another reply is about somebody else's, whatever had become of our own."""
    node, record = _unstarted()
    stream = Stream(node)
    tickets = [CommandRequest(words=Words(), deadline=soon()) for _ in range(1 + between)]
    for ticket in tickets:
        ticket.future = asyncio.get_running_loop().create_future()
        stream.connection.waiting.append(ticket)
    assert node.store.segments is not None
    name = node.store.segments.of(record.key).record(record.key)
    tickets[0].on_reply = lambda _: node.store.tracking.expect_own([name])
    stream.hear(b"+OK\r\n" * (1 + between) + b">2\r\n$10\r\ninvalidate\r\n*1\r\n" + _bulk(name), 0)
    assert node.holds_current(record) == (between == 0)
