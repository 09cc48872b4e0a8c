"""The fault proxy makes the faults it says it makes, and no others."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stores.valkey.raw_server import RawServer
from wsgessions.testing.faults.frames import FrameSplitter
from wsgessions.testing.faults.pipes import shut
from wsgessions.testing.faults.proxies import Direction, Ending, FaultProxy

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PATIENCE = 20.0


class Peer:
    """A server that keeps its ends of the connections for the test to use."""

    def __init__(self) -> None:
        self._streams: asyncio.Queue[Stream] = asyncio.Queue()
        self._all: list[asyncio.StreamWriter] = []

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._all.append(writer)
        await self._streams.put((reader, writer))

    async def stream(self) -> Stream:
        return await asyncio.wait_for(self._streams.get(), PATIENCE)

    def close(self) -> None:
        for writer in self._all:
            writer.transport.abort()


@pytest.fixture
async def peer() -> AsyncIterator[tuple[Peer, tuple[str, int]]]:
    peer = Peer()
    server = await asyncio.start_server(peer.accept, "127.0.0.1", 0)
    yield peer, server.sockets[0].getsockname()
    peer.close()
    server.close()


class Pair:
    """Both ends of one connection through the proxy."""

    def __init__(self, client: Stream, server: Stream) -> None:
        self.client, self.server = client, server

    @classmethod
    async def open(cls, proxy: FaultProxy, peer: Peer) -> Pair:
        client = await asyncio.open_connection(proxy.host, proxy.port)
        return cls(client, await peer.stream())

    async def to_client(self, data: bytes) -> None:
        self.server[1].write(data)
        assert await self.received(len(data)) == data

    async def to_server(self, data: bytes) -> None:
        self.client[1].write(data)
        assert await asyncio.wait_for(self.server[0].readexactly(len(data)), PATIENCE) == data

    async def received(self, number: int = -1) -> bytes:
        """What the client gets, up to ``number`` bytes or the end of the stream."""
        reading = self.client[0].read() if number < 0 else self.client[0].readexactly(number)
        return await asyncio.wait_for(reading, PATIENCE)

    def close(self) -> None:
        self.client[1].transport.abort()


Server = tuple[Peer, tuple[str, int]]


async def test_bytes_pass_unchanged_and_are_counted(peer: Server) -> None:
    async with FaultProxy(peer[1]) as proxy:
        pair = await Pair.open(proxy, peer[0])
        await pair.to_server(b"x" * 100_000)
        await pair.to_client(b"y" * 200_000)
        assert (proxy.counts.connections, proxy.counts.bytes_to_server, proxy.counts.bytes_to_client) == (
            1,
            100_000,
            200_000,
        )
        pair.close()


async def test_a_unix_socket_may_stand_behind_it(tmp_path: Path) -> None:
    peer = Peer()
    server = await asyncio.start_unix_server(peer.accept, tmp_path / "s")
    async with FaultProxy(tmp_path / "s") as proxy:
        pair = await Pair.open(proxy, peer)
        await pair.to_server(b"hello")
        await pair.to_client(b"there")
        pair.close()
    peer.close()
    server.close()


@pytest.mark.parametrize("side", ["client", "server"])
async def test_the_end_of_one_side_reaches_the_other(peer: Server, side: str) -> None:
    async with FaultProxy(peer[1]) as proxy:
        pair = await Pair.open(proxy, peer[0])
        ending, other = (pair.client, pair.server) if side == "client" else (pair.server, pair.client)
        ending[1].write(b"last words")
        ending[1].close()
        assert await asyncio.wait_for(other[0].read(), PATIENCE) == b"last words"
        pair.close()


async def test_delayed_bytes_arrive_later_but_at_full_throughput(peer: Server) -> None:
    async with FaultProxy(peer[1]) as proxy:
        pair = await Pair.open(proxy, peer[0])
        proxy.delay(0.1, Direction.TO_CLIENT)
        began = time.monotonic()
        for _ in range(20):
            pair.server[1].write(b"x" * 1000)
            await asyncio.sleep(0.001)
        assert len(await pair.received(20_000)) == 20_000
        assert time.monotonic() - began >= 0.1
        proxy.heal()
        await pair.to_server(b"x")
        await pair.to_client(b"x")
        pair.close()


async def test_a_throttled_stream_comes_in_drops(peer: Server) -> None:
    async with FaultProxy(peer[1]) as proxy:
        pair = await Pair.open(proxy, peer[0])
        proxy.throttle(100, Direction.TO_CLIENT)
        began = time.monotonic()
        await pair.to_client(b"x" * 10)
        assert time.monotonic() - began >= 0.1
        pair.close()


async def test_held_bytes_arrive_when_it_heals(peer: Server) -> None:
    async with FaultProxy(peer[1]) as proxy:
        pair = await Pair.open(proxy, peer[0])
        proxy.hold(Direction.TO_CLIENT)
        pair.server[1].write(b"late")
        await pair.to_server(b"the other way is open")
        assert proxy.counts.bytes_to_client == 0
        proxy.heal()
        assert await pair.received(4) == b"late"
        pair.close()


async def test_a_stream_that_lost_bytes_never_goes_on(peer: Server) -> None:
    async with FaultProxy(peer[1]) as proxy:
        pair = await Pair.open(proxy, peer[0])
        proxy.drop(Direction.TO_CLIENT)
        pair.server[1].write(b"lost")
        await pair.to_server(b"the other way is open")
        later = await Pair.open(proxy, peer[0])
        later.server[1].write(b"lost too")
        await later.to_server(b"x")
        proxy.heal()
        fresh = await Pair.open(proxy, peer[0])
        await fresh.to_client(b"arrives")
        pair.server[1].write(b"after a gap")
        await fresh.to_client(b"arrives")
        assert proxy.counts.bytes_to_client == 14
        for each in (pair, later, fresh):
            each.close()


@pytest.mark.parametrize("number", [0, 1, 7, 10])
@pytest.mark.parametrize("ending", list(Ending))
async def test_a_cut_comes_after_just_so_many_bytes_and_once(peer: Server, number: int, ending: Ending) -> None:
    async with FaultProxy(peer[1]) as proxy:
        pair = await Pair.open(proxy, peer[0])
        await pair.to_client(b"before")
        proxy.cut_after(number, ending=ending)
        pair.server[1].write(b"0123456789")
        if ending is Ending.CLOSE:
            assert await pair.received() == b"0123456789"[:number]
        else:
            with pytest.raises(ConnectionResetError):
                await pair.received()
        fresh = await Pair.open(proxy, peer[0])
        await fresh.to_client(b"0123456789")
        fresh.close()
        pair.close()


async def test_a_cut_counts_over_several_pieces(peer: Server) -> None:
    async with FaultProxy(peer[1]) as proxy:
        pair = await Pair.open(proxy, peer[0])
        proxy.cut_after(5, Direction.TO_SERVER)
        await pair.to_server(b"123")
        pair.client[1].write(b"456")
        assert await asyncio.wait_for(pair.server[0].read(), PATIENCE) == b"45"
        pair.close()


async def test_connections_are_ended_and_new_ones_taken(peer: Server) -> None:
    async with FaultProxy(peer[1]) as proxy:
        pair = await Pair.open(proxy, peer[0])
        proxy.end_connections(Ending.RESET)
        proxy.end_connections()
        with pytest.raises(ConnectionResetError):
            await pair.received()
        fresh = await Pair.open(proxy, peer[0])
        await fresh.to_server(b"x")
        assert proxy.counts.connections == 2
        fresh.close()
        pair.close()


async def test_a_client_that_resets_ends_the_servers_side_too(peer: Server) -> None:
    async with FaultProxy(peer[1]) as proxy:
        pair = await Pair.open(proxy, peer[0])
        await pair.to_server(b"x")
        await shut(pair.client[1], Ending.RESET)
        assert await asyncio.wait_for(pair.server[0].read(), PATIENCE) == b""


async def test_it_refuses_connections_and_takes_them_again_on_the_same_port(peer: Server) -> None:
    async with FaultProxy(peer[1]) as proxy:
        pair, port = await Pair.open(proxy, peer[0]), proxy.port
        proxy.refuse()
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(proxy.host, proxy.port)
        await pair.to_client(b"those there are go on")
        await proxy.accept()
        await proxy.accept()
        assert proxy.port == port
        fresh = await Pair.open(proxy, peer[0])
        fresh.close()
        pair.close()


async def test_where_the_server_is_gone_clients_are_reset() -> None:
    async with FaultProxy(("127.0.0.1", 1)) as proxy:
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), PATIENCE)
        writer.close()


async def test_leaving_it_ends_what_is_under_way(peer: Server) -> None:
    async with FaultProxy(peer[1]) as proxy:
        pair = await Pair.open(proxy, peer[0])
        proxy.hold()
    assert await pair.received() == b""
    pair.close()


PUSH = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"


async def test_held_pushes_are_overtaken_by_replies(peer: Server) -> None:
    async with FaultProxy(peer[1], watch_pushes=True) as proxy:
        pair = await Pair.open(proxy, peer[0])
        proxy.hold_pushes(0.1)
        pair.server[1].write(PUSH + b"+OK\r\n")
        assert await pair.received(5 + len(PUSH)) == b"+OK\r\n" + PUSH
        proxy.heal()
        await pair.to_client(PUSH + b"+OK\r\n")
        pair.close()


async def test_dropped_pushes_vanish_and_replies_pass(peer: Server) -> None:
    async with FaultProxy(peer[1], watch_pushes=True) as proxy:
        pair = await Pair.open(proxy, peer[0])
        proxy.drop_pushes()
        pair.server[1].write(PUSH + b"+OK\r\n" + PUSH + b":1\r\n")
        assert await pair.received(9) == b"+OK\r\n:1\r\n"
        assert proxy.counts.pushes_dropped == 2
        pair.close()


async def test_a_proxy_that_does_not_look_says_so() -> None:
    proxy = FaultProxy(("127.0.0.1", 1))
    for fault in (proxy.drop_pushes, partial(proxy.hold_pushes, 1), partial(proxy.reorder_pushes, 1)):
        with pytest.raises(ValueError, match="watch_pushes"):
            fault()


@pytest.mark.parametrize("share", [-0.1, 1.1])
async def test_a_share_that_is_none_is_refused(share: float) -> None:
    proxy = FaultProxy(("127.0.0.1", 1), watch_pushes=True)
    with pytest.raises(ValueError, match="share"):
        proxy.drop_pushes(share=share)
    with pytest.raises(ValueError, match="seconds"):
        proxy.hold_pushes(-1)


def numbered(numbers: range) -> bytes:
    return b"".join(b">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\n%03d\r\n" % number for number in numbers)


def order(stream: bytes) -> list[int]:
    return [int(number) for number in re.findall(rb"(\d{3})\r\n", stream)]


async def pushes_through(peer: Server, harm: Callable[[FaultProxy], None], number: int) -> tuple[list[int], FaultProxy]:
    """What arrives of so many pushes, in which order, and the proxy that they passed."""
    async with FaultProxy(peer[1], watch_pushes=True) as proxy:
        pair = await Pair.open(proxy, peer[0])
        harm(proxy)
        pair.server[1].write(numbered(range(number)))
        async with asyncio.timeout(PATIENCE):
            while proxy.counts.pushes_seen < number:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        missing = number - proxy.counts.pushes_dropped
        arrived = await pair.received(len(numbered(range(missing))))
        pair.close()
    return order(arrived), proxy


async def test_a_share_of_the_pushes_is_dropped_the_same_for_the_same_seed(peer: Server) -> None:
    first, proxy = await pushes_through(peer, lambda proxy: proxy.drop_pushes(share=0.2, seed=5), 200)
    again, _ = await pushes_through(peer, lambda proxy: proxy.drop_pushes(share=0.2, seed=5), 200)
    other, _ = await pushes_through(peer, lambda proxy: proxy.drop_pushes(share=0.2, seed=6), 200)
    assert first == again != other
    assert first == sorted(first)
    assert 0 < proxy.counts.pushes_dropped == 200 - len(first) < 100
    assert (proxy.counts.pushes_seen, proxy.counts.pushes_held) == (200, 0)


async def test_a_share_of_the_pushes_is_held_and_overtaken_by_the_rest(peer: Server) -> None:
    arrived, proxy = await pushes_through(peer, lambda proxy: proxy.hold_pushes(0.05, share=0.1, seed=3), 100)
    held = arrived[100 - proxy.counts.pushes_held :]
    assert 0 < len(held) < 50
    assert held == sorted(held)
    assert sorted(arrived) == list(range(100))
    assert (proxy.counts.pushes_seen, proxy.counts.pushes_dropped) == (100, 0)


async def test_reordered_pushes_all_arrive_in_another_order(peer: Server) -> None:
    arrived, proxy = await pushes_through(peer, lambda proxy: proxy.reorder_pushes(0.05, seed=1), 100)
    assert arrived != sorted(arrived)
    assert sorted(arrived) == list(range(100))
    assert proxy.counts.pushes_held == 100


async def test_dropping_and_holding_may_go_together(peer: Server) -> None:
    def harm(proxy: FaultProxy) -> None:
        proxy.drop_pushes(share=0.5, seed=1)
        proxy.hold_pushes(0.01)

    arrived, proxy = await pushes_through(peer, harm, 100)
    assert len(arrived) == proxy.counts.pushes_held == 100 - proxy.counts.pushes_dropped


async def test_a_held_push_waits_for_the_end_of_a_throttled_reply(peer: Server) -> None:
    async with FaultProxy(peer[1], watch_pushes=True) as proxy:
        pair = await Pair.open(proxy, peer[0])
        proxy.hold_pushes(0.01)
        proxy.throttle(2000, Direction.TO_CLIENT)
        reply = b"$400\r\n" + b"x" * 400 + b"\r\n"
        pair.server[1].write(PUSH + reply)
        assert await pair.received(len(PUSH) + len(reply)) == reply + PUSH
        pair.close()


async def test_invalidations_of_a_real_server_are_let_through_dropped_and_held(tmp_path: Path) -> None:
    """A client that tracks a key and changes it: the server sends the push between two replies."""
    server = RawServer(tmp_path)
    server.start()
    push = PUSH.replace(b"$1\r\nk", b"$3\r\nkey")
    async with FaultProxy(server.path, watch_pushes=True) as proxy:
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)

        async def change_and_ask() -> bytes:
            writer.write(b"GET key\r\nSET key value\r\nECHO asked\r\n")
            return await asyncio.wait_for(reader.readuntil(b"asked\r\n"), PATIENCE)

        writer.write(b"HELLO 3\r\nCLIENT TRACKING ON\r\n")
        assert push in await change_and_ask()
        proxy.drop_pushes()
        assert push not in await change_and_ask()
        proxy.heal()
        proxy.hold_pushes(0.1)
        assert push not in await change_and_ask()
        assert await asyncio.wait_for(reader.readexactly(len(push)), PATIENCE) == push
        assert (proxy.counts.pushes_seen, proxy.counts.pushes_held, proxy.counts.pushes_dropped) == (3, 1, 1)
        writer.close()
    server.kill()


texts = st.binary(max_size=20).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b""))
leaves = st.one_of(
    texts.map(lambda text: b"+" + text + b"\r\n"),
    st.integers().map(lambda number: b":%d\r\n" % number),
    st.binary(max_size=40).map(lambda raw: b"$%d\r\n%b\r\n" % (len(raw), raw)),
    st.sampled_from([b"_\r\n", b"#t\r\n", b",1.5\r\n", b"$-1\r\n", b"*-1\r\n", b"(123\r\n", b"=7\r\ntxt:a\r\n\r\n"]),
)


def aggregates(parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    lists = st.tuples(st.sampled_from([b"*", b"~"]), st.lists(parts, max_size=4))
    maps = st.lists(st.tuples(parts, parts).map(b"".join), max_size=3)
    return st.one_of(
        lists.map(lambda found: b"%b%d\r\n" % (found[0], len(found[1])) + b"".join(found[1])),
        maps.map(lambda pairs: b"%%%d\r\n" % len(pairs) + b"".join(pairs)),
        st.tuples(maps, parts).map(lambda found: b"|%d\r\n" % len(found[0]) + b"".join(found[0]) + found[1]),
    )


replies = st.recursive(leaves, aggregates, max_leaves=10)
pushes = st.lists(replies, max_size=3).map(lambda parts: b">%d\r\n" % len(parts) + b"".join(parts))


@given(st.lists(replies | pushes, max_size=8), st.data())
def test_any_resp3_stream_is_cut_into_its_messages_however_it_arrives(frames: list[bytes], data: st.DataObject) -> None:
    stream, splitter = b"".join(frames), FrameSplitter()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    found: list[tuple[bool, bytes]] = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += splitter.feed(stream[begin:end])
    assert found == [(frame.startswith(b">"), frame) for frame in frames]
