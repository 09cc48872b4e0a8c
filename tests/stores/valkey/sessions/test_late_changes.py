"""What arrives at the store after its deadline changes nothing; what arrived before it is recognised (C-9, C-20)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from tests.stores.valkey.caching_node import caching_node
from tests.stores.valkey.links import PATIENCE, soon, until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import age, shared_server, started, store_at
from wsgessions.errors import NonStopTimeout, StoreUnavailable
from wsgessions.record import CommitStatus, NewSession, RotationTarget, SessionDelta, SessionKey, SessionRecord
from wsgessions.record.clock import StoreClock
from wsgessions.record.struct import replace
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.faults.proxies import Direction, FaultProxy
from wsgessions.testing.stores.harness import DAY, IDLE, change, created, new_key, number, stored, successor_of

__all__ = ["shared_server"]

SHORT = 0.4
"""Seconds that a change is waited for whose bytes are held."""
AMPLE = 1.0
"""Seconds in which a change reaches the store on a busy machine too."""
HOUR_MS = 3_600_000


def new_session(principal: str | None = None) -> NewSession:
    return NewSession(new_key(), {"x": b"old"}, IDLE * 1000, DAY * 1000, principal=principal)


@dataclass
class Scene:
    """Sessions that are there, and what is about to be done to them, once or again."""

    record: SessionRecord
    hers: SessionRecord
    """Bound to Ada."""
    write: SessionDelta
    increment: SessionDelta
    move: SessionDelta
    successor: RotationTarget
    new: NewSession = field(default_factory=new_session)
    bound: NewSession = field(default_factory=lambda: new_session("bob"))


async def scene_at(store: ValkeyStore) -> Scene:
    record = await created(store, {"x": b"first", "n": number(1)})
    hers = await store.create(new_session("ada"))
    assert hers is not None
    await age(store, 5)  # so that a use which is told now is seen in the scores
    return Scene(
        record,
        hers,
        write=change(record, x=b"old"),
        increment=replace(change(record), increments={"n": 1}),
        move=change(record, x=b"old"),
        successor=successor_of(record.key),
    )


Work = Callable[[ValkeyStore, Scene, float], Awaitable[object]]


async def create(store: ValkeyStore, scene: Scene, deadline: float) -> object:
    return await store.create(scene.new, deadline=deadline)


async def write(store: ValkeyStore, scene: Scene, deadline: float) -> object:
    return await store.apply(scene.write, deadline=deadline)


async def increment(store: ValkeyStore, scene: Scene, deadline: float) -> object:
    return await store.apply(scene.increment, deadline=deadline)


async def rotate(store: ValkeyStore, scene: Scene, deadline: float) -> object:
    return await store.rotate(scene.move, scene.successor, deadline=deadline)


async def renew(store: ValkeyStore, scene: Scene, deadline: float) -> object:
    return await store.rotate(scene.move, scene.successor._replace(forward_ms=10_000), deadline=deadline)


async def delete(store: ValkeyStore, scene: Scene, deadline: float) -> object:
    return await store.delete(scene.record.key, by_client=True, deadline=deadline)


async def touch(store: ValkeyStore, scene: Scene, deadline: float) -> object:
    await store.touch([scene.record.key], deadline=deadline)
    return None


async def announce(store: ValkeyStore, scene: Scene, deadline: float) -> object:
    """A session that is somebody's is announced to an index first."""
    return await store.create(scene.bound, deadline=deadline)


async def confirm_hers(store: ValkeyStore, scene: Scene, deadline: float) -> object:
    await store.sessions.index.confirm("ada", [(scene.hers.key, scene.hers.deadline_ms)], deadline)
    return None


async def overwrite(store: ValkeyStore, scene: Scene, _: float) -> None:
    outcome = await store.apply(change(scene.record, x=b"new", n=number(7)))
    assert outcome.status is CommitStatus.APPLIED


async def shorten(store: ValkeyStore, scene: Scene, _: float) -> None:
    outcome = await store.apply(replace(change(scene.record), interval_ms=60_000))
    assert outcome.status is CommitStatus.APPLIED
    await age(store, 5)


async def end_hers(store: ValkeyStore, scene: Scene, _: float) -> None:
    assert await store.delete(scene.hers.key)


class Kind(NamedTuple):
    """A kind of change, and a newer one that the store acknowledges while the first is on its way."""

    old: Work
    newer: Callable[[ValkeyStore, Scene, float], Awaitable[None]]


KINDS = {
    "a creation": Kind(create, overwrite),
    "a commit": Kind(write, overwrite),
    "an increment": Kind(increment, overwrite),
    "a rotation": Kind(rotate, overwrite),
    "a renewal": Kind(renew, overwrite),
    "an end": Kind(delete, overwrite),
    "a use": Kind(touch, shorten),
    "an announcement to an index": Kind(announce, end_hers),
    "a confirmation to an index": Kind(confirm_hers, end_hers),
}
ANSWERED = [create, write, increment, rotate, renew, delete]
"""Changes whose outcome the caller is told."""


class Pair(NamedTuple):
    """Two stores over one server."""

    proxy: FaultProxy
    far: ValkeyStore
    """Its bytes go through the proxy."""
    near: ValkeyStore

    async def content(self) -> dict[bytes, object]:
        """All that the server keeps for these two, byte for byte, and until when."""
        link = self.near.link
        names: list[bytes] = await link.request(b"KEYS", f"{self.near._namespace}:*")
        asked = [(command, name) for name in names for command in (b"DUMP", b"PEXPIRETIME")]
        replies = await link.pipeline(asked)
        return dict(zip(names, zip(replies[::2], replies[1::2], strict=True), strict=True))

    async def release(self) -> None:
        """Let the held bytes arrive, and wait until the server has seen to them."""
        arrived = self.proxy.counts.bytes_to_server
        self.proxy.heal()
        await until(lambda: self.proxy.counts.bytes_to_server > arrived)
        for _ in range(2):  # the server reads all that has come, then the second of these
            await self.near.link.request(b"PING")
        await self.far.link.request(b"PING", deadline=soon())


@pytest.fixture
async def pair(shared_server: RawServer) -> AsyncIterator[Pair]:
    async with (
        FaultProxy(shared_server.path) as proxy,
        started(store_at(shared_server.url)) as near,
        started(store_at(f"valkey://{proxy.host}:{proxy.port}", namespace=near._namespace)) as far,
    ):
        yield Pair(proxy, far, near)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
async def test_what_was_given_up_is_never_applied_and_undoes_nothing_newer(pair: Pair, kind: Kind) -> None:
    """C-20: the bytes are held on their way beyond the deadline, and a newer change overtakes them."""
    await kind.old(pair.near, await scene_at(pair.near), soon())  # the server knows the script
    scene = await scene_at(pair.near)
    pair.proxy.hold(Direction.TO_SERVER)
    with pytest.raises(NonStopTimeout) as given_up:
        await kind.old(pair.far, scene, soon(SHORT))
    assert given_up.value.unknown == (kind.old is not announce)  # without which nothing is done to the session
    await kind.newer(pair.near, scene, soon())
    acknowledged = await pair.content()
    await pair.release()
    assert await pair.content() == acknowledged


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
async def test_a_change_that_can_be_given_up_is_carried_out_when_nothing_is_held(pair: Pair, kind: Kind) -> None:
    """What the tests beside this one watch does change."""
    scene = await scene_at(pair.near)
    before = await pair.content()
    await kind.old(pair.far, scene, soon())
    assert await pair.content() != before


@pytest.mark.parametrize("old", ANSWERED, ids=lambda each: each.__name__)
async def test_a_change_whose_answer_is_held_is_unknown_and_recognised_when_it_is_repeated(
    pair: Pair, old: Work
) -> None:
    """C-9, C-20: it was applied before its deadline, others have gone on from there, and it is not applied again."""
    scene = await scene_at(pair.near)
    before = await pair.content()
    pair.proxy.hold(Direction.TO_CLIENT)
    with pytest.raises(StoreUnavailable) as outcome:
        await old(pair.far, scene, soon(AMPLE))
    assert outcome.value.unknown
    assert await pair.content() != before
    await _go_on(pair.near, scene)
    gone_on = await pair.content()
    pair.proxy.heal()
    for store in (pair.far, pair.near, pair.far):
        again = await old(store, scene, soon())
        assert getattr(again, "status", CommitStatus.APPLIED) is CommitStatus.APPLIED
        assert await pair.content() == gone_on


async def _go_on(store: ValkeyStore, scene: Scene) -> None:
    """Change what there is now, wherever the session has gone."""
    there: list[SessionKey] = [scene.new.key, scene.successor.key, scene.record.key]
    for key in there:
        found = await store.load(key)
        if isinstance(found, SessionRecord):
            assert (await store.apply(change(found, x=b"new"))).status is CommitStatus.APPLIED


async def test_a_repetition_is_answered_as_the_first_time(pair: Pair) -> None:
    """C-9: also with what was computed."""
    scene = await scene_at(pair.near)
    pair.proxy.hold(Direction.TO_CLIENT)
    with pytest.raises(StoreUnavailable):
        await increment(pair.far, scene, soon(AMPLE))
    version = (await stored(pair.near, scene.record)).version
    await pair.near.apply(replace(change(scene.record), increments={"n": 5}))
    pair.proxy.heal()
    again = await pair.far.apply(scene.increment, deadline=soon())
    assert (again.status, again.version, again.computed) == (CommitStatus.APPLIED, version, {"n": number(2)})
    assert (await stored(pair.near, scene.record)).attributes["n"] == number(7)


def set_back(clock: StoreClock) -> None:
    """Let a node take the store's time for an hour less than it is."""
    now = clock.monotonic()
    clock.observe(clock.now_ms() - HOUR_MS, sent_at=now)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
async def test_a_node_whose_estimate_of_the_time_is_wrong_learns_it_and_has_its_change_carried_out(
    pair: Pair, kind: Kind
) -> None:
    """C-20: the store came to it too late by its own clock, and said so; the caller still waits."""
    scene = await scene_at(pair.near)
    before = await pair.content()
    set_back(pair.far.clock)
    await kind.old(pair.far, scene, soon())
    assert await pair.content() != before
    assert pair.far.clock.now_ms() > pair.near.clock.now_ms() - HOUR_MS // 2


async def test_what_the_store_came_to_too_late_is_carried_out_once(pair: Pair) -> None:
    """C-20: each refusal for being late is followed by a sending of the same change."""
    scene = await scene_at(pair.near)
    for total in range(2, 5):
        set_back(pair.far.clock)
        outcome = await pair.far.apply(replace(scene.increment, commit_id=bytes([total] * 8)), deadline=soon())
        assert (outcome.status, outcome.computed) == (CommitStatus.APPLIED, {"n": number(total)})
    assert (await stored(pair.near, scene.record)).attributes["n"] == number(4)


async def test_a_change_that_came_too_late_for_good_was_not_carried_out_and_that_is_known(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C-20: no outcome is called unknown that the store has told."""
    scene = await scene_at(pair.near)
    monkeypatch.setattr(StoreClock, "not_after", lambda clock, deadline: 0)
    before = await pair.content()
    with pytest.raises(NonStopTimeout, match="nothing was changed") as refused:
        await write(pair.far, scene, soon())
    assert not refused.value.unknown
    assert await pair.content() == before


@pytest.mark.parametrize("kind", ["an end", "a commit"])
async def test_the_copy_of_a_session_whose_change_has_no_known_outcome_is_not_served(
    shared_server: RawServer, kind: str
) -> None:
    """C-20, K-08: a client may have been told of the end by another server, and must not find it here again."""
    async with (
        FaultProxy(shared_server.path) as proxy,
        caching_node(f"valkey://{proxy.host}:{proxy.port}", lease=PATIENCE) as node,
    ):
        record = await created(node.cache, {"x": b"first"})
        await node.may_serve()
        assert node.recalls(record)
        proxy.hold(Direction.TO_CLIENT)
        with pytest.raises(NonStopTimeout) as caught:
            if kind == "an end":
                await node.cache.delete(record.key, deadline=soon(SHORT))
            else:
                await node.cache.apply(change(record, x=b"new"), deadline=soon(SHORT))
        assert caught.value.unknown
        assert node.recalls(record) is None
        proxy.heal()
