"""What a session's owner does at the store: loading, sending the difference, keeping both sides' views together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from itertools import chain, repeat
from typing import Any

import pytest

from tests.nodes import Node, Time, content, created, make_node, two_nodes
from wsgessions import errors
from wsgessions.credentials.identity import new_session_id
from wsgessions.credentials.presented import CredentialStatus, PresentedCredentials
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.manager import SessionManager, commit_log, committer, creation
from wsgessions.record import CommitOutcome, CommitStatus
from wsgessions.session import ServedFrom, Session, SessionStatus, unit_of
from wsgessions.stores.memory.store import MemoryStore

# -- loading -----------------------------------------------------------------------------------------------------------


async def test_what_one_node_stores_the_other_reads() -> None:
    one, other = two_nodes()
    session_id = await created(one.manager, cart=["pot"], user={"name": "Ann"})
    assert await content(other, session_id) == {"cart": ["pot"], "user": {"name": "Ann"}}


async def test_an_unknown_id_is_never_adopted() -> None:
    """S-03: the client's id is not used, and nothing is stored under it."""
    node, _ = two_nodes()
    made_up = new_session_id()
    async with node.manager.open(made_up) as session:
        assert (session.is_new, session.id, session) == (True, None, {})
        session["a"] = 1
    assert session.id not in {None, made_up}
    assert node.manager.statistics.unknown_ids == 1
    assert await content(node, made_up) == {}


async def test_a_session_tells_what_it_is() -> None:
    time = Time()
    one, other = two_nodes(time)
    session_id = await created(one.manager, a=1)
    time.pass_seconds(60)
    async with other.manager.open(session_id) as session:
        assert session.id == session_id
        assert session.ref is not None
        assert not session.is_new
        assert session.served_from is ServedFrom.STORE
        assert session.version > 0
        assert session.created_at is not None
        assert session.last_accessed_at == session.created_at
        assert session.expires_at == session.created_at + timedelta(minutes=30)
        assert session.max_inactive_interval == timedelta(minutes=30)
        states = [session.status]
        session["a"] = 2
        states.append(session.status)
        await session.commit()
        states.append(session.status)
        assert states == [SessionStatus.CLEAN, SessionStatus.DIRTY, SessionStatus.CLEAN]
        assert session.last_accessed_at == session.created_at + timedelta(minutes=1)


async def test_without_an_idle_timeout_the_last_access_is_at_least_the_creation() -> None:
    """And never in the future."""
    time = Time()
    node, _ = two_nodes(time, max_inactive_interval=0)
    session_id = await created(node.manager, a=1)
    time.pass_seconds(60)
    async with node.manager.open(session_id) as session:
        assert session.last_accessed_at == session.created_at
        assert session.max_inactive_interval is None


async def test_a_session_that_could_not_be_loaded_passes_for_nothing_else() -> None:
    """F-00a: not for a new one, and not for an empty one, by whatever it is asked."""
    one, _ = two_nodes()
    session_id = await created(one.manager, a=1)
    one.store.down = True
    session = one.manager.requests.begin(_presented(session_id))
    with pytest.raises(errors.StoreUnavailable):
        await one.manager.requests.repository.load(session)
    looks: list[Callable[[], Any]] = [
        lambda: session["a"],
        lambda: session.get("a"),
        lambda: len(session),
        lambda: "a" in session,
        lambda: list(session),
        lambda: session.id,
        lambda: session.is_new,
        lambda: session.status,
        lambda: session.version,
        lambda: session.created_at,
        lambda: session.last_accessed_at,
        lambda: session.expires_at,
        lambda: session.max_inactive_interval,
        lambda: session.served_from,
        lambda: session.update(a=2),
        session.invalidate,
        session.rotate_id,
    ]
    for look in looks:
        with pytest.raises(errors.StoreUnavailable):
            look()
    assert session_id not in repr(session)


async def test_a_failed_load_can_be_tried_again() -> None:
    one, _ = two_nodes()
    session_id = await created(one.manager, a=1)
    one.store.down = True
    session = one.manager.requests.begin(_presented(session_id))
    with pytest.raises(errors.StoreUnavailable):
        await one.manager.requests.repository.load(session)
    one.store.down = False
    await session.load()
    assert session == {"a": 1}


# -- only the difference travels ---------------------------------------------------------------------------------------


async def test_only_changed_attributes_are_sent() -> None:
    one, _ = two_nodes()
    session_id = await created(one.manager, **{f"a{number}": "x" * 100 for number in range(20)})
    async with one.manager.open(session_id) as session:
        session["a3"] = "y"
        del session["a5"]
        assert session["a7"]
    (delta,) = one.store.deltas
    assert set(delta.changed) == {"a3"}
    assert delta.removed == {"a5"}


async def test_reading_sends_nothing() -> None:
    one, _ = two_nodes()
    session_id = await created(one.manager, cart=["pot"], user={"name": "Ann"})
    one.store.calls.clear()
    async with one.manager.open(session_id) as session:
        assert list(session.items())
        assert session["cart"] == ["pot"]
    assert one.store.calls == ["load", "touch"]


async def test_setting_what_is_there_already_sends_nothing() -> None:
    one, _ = two_nodes()
    session_id = await created(one.manager, a=1)
    async with one.manager.open(session_id) as session:
        session["a"] = 1
        session["b"] = 2
        del session["b"]
        session["a"] = session.pop("a")
    assert one.store.deltas == []


def _append(session: Session) -> None:
    session["cart"].append("cup")


def _nested(session: Session) -> None:
    session["user"]["address"]["city"] = "Rome"


def _shared_object(session: Session) -> None:
    session["copy"] = session["cart"]
    session["cart"].append("cup")


def _through_items(session: Session) -> None:
    for name, value in session.items():
        if name == "cart":
            value.append("cup")


def _after_a_commit_too(session: Session) -> None:
    kept = session["cart"]
    kept.append("cup")
    kept.append("cap")


@pytest.mark.parametrize("change", [_append, _nested, _shared_object, _through_items, _after_a_commit_too])
async def test_changes_inside_values_are_found(change: Callable[[Session], None]) -> None:
    """R-03."""
    one, other = two_nodes()
    session_id = await created(one.manager, cart=["pot"], user={"address": {"city": "Ulm"}})
    async with one.manager.open(session_id) as session:
        change(session)
        expected = session.copy()
    assert await content(other, session_id) == expected != {"cart": ["pot"], "user": {"address": {"city": "Ulm"}}}


async def test_a_value_that_was_handed_out_stays_watched_after_a_commit() -> None:
    """R-03."""
    one, other = two_nodes()
    session_id = await created(one.manager, cart=["pot"])
    async with one.manager.open(session_id) as session:
        cart = session["cart"]
        cart.append("cup")
        await session.commit()
        cart.append("cap")
    assert await content(other, session_id) == {"cart": ["pot", "cup", "cap"]}


async def test_requests_never_share_an_object() -> None:
    """K-11: a change that is not committed is invisible elsewhere."""
    one, _ = two_nodes()
    session_id = await created(one.manager, cart=["pot"])
    async with one.manager.open(session_id) as first, one.manager.open(session_id) as second:
        first["cart"].append("cup")
        assert second["cart"] == ["pot"]
        assert first["cart"] is not second["cart"]
        first["cart"].pop()


async def test_clear_keeps_the_session() -> None:
    """R-06, S-227: id and deadlines stay, and all others see that it is empty."""
    time = Time()
    one, other = two_nodes(time)
    session_id = await created(one.manager, a=1, b=2)
    time.pass_seconds(10)
    async with one.manager.open(session_id) as session:
        born, record = session.created_at, unit_of(session).record
        assert record is not None
        session.clear()
    async with other.manager.open(session_id) as session:
        assert session == {}
        assert not session.is_new
        assert session.created_at == born
        moved = unit_of(session).record
        assert moved is not None
        assert moved.deadline_ms == record.deadline_ms


# -- two at a time (C-9, C-10, K-02, K-03, K-04) -----------------------------------------------------------------------


async def test_different_attributes_merge() -> None:
    """K-02."""
    one, other = two_nodes()
    session_id = await created(one.manager, a=1, b=1)
    async with one.manager.open(session_id) as first, other.manager.open(session_id) as second:
        first["a"] = 2
        second["b"] = 2
        await first.commit()
        await second.commit()
        assert second == {"a": 2, "b": 2}
    assert await content(one, session_id) == {"a": 2, "b": 2}
    assert other.manager.statistics.overwritten_attributes == 0


async def test_of_the_same_attribute_the_last_write_wins_and_is_counted() -> None:
    """C-10."""
    one, other = two_nodes()
    session_id = await created(one.manager, a=1)
    async with one.manager.open(session_id) as first, other.manager.open(session_id) as second:
        first["a"] = 2
        second["a"] = 3
        await first.commit()
        await second.commit()
    assert await content(one, session_id) == {"a": 3}
    assert other.manager.statistics.overwritten_attributes == 1


async def test_of_the_same_attribute_the_second_write_is_refused_on_request() -> None:
    """C-10."""
    one, other = two_nodes(conflicts="raise")
    session_id = await created(one.manager, a=1, b=1)
    async with one.manager.open(session_id) as first, other.manager.open(session_id) as second:
        first["a"] = 2
        second.update(a=3, b=3)
        await first.commit()
        with pytest.raises(errors.SessionConflict, match="'a'") as caught:
            await second.commit()
        assert caught.value.names == ("a",)
        assert await content(one, session_id) == {"a": 2, "b": 1}
        await second.commit()
    assert await content(one, session_id) == {"a": 3, "b": 3}
    assert other.manager.statistics.conflicts == 1


async def test_a_value_that_others_changed_after_it_was_handed_out_is_a_conflict_too() -> None:
    """C-10. The commit in between has told this session of the other's change, but not the request's code."""
    one, other = two_nodes(conflicts="raise")
    session_id = await created(one.manager, cart=["pot"])
    async with one.manager.open(session_id) as first, other.manager.open(session_id) as second:
        cart = second["cart"]
        first["cart"].append("cup")
        await first.commit()
        second["seen"] = True
        await second.commit()
        cart.append("cap")
        with pytest.raises(errors.SessionConflict, match="'cart'"):
            await second.commit()
        second["cart"] = await _stored(one, session_id, "cart")
    assert await content(one, session_id) == {"cart": ["pot", "cup"], "seen": True}


async def _stored(node: Node, session_id: str, name: str) -> Any:
    return (await content(node, session_id))[name]


async def test_a_removed_attribute_is_removed_everywhere() -> None:
    one, other = two_nodes()
    session_id = await created(one.manager, a=1, b=1)
    async with one.manager.open(session_id) as first, other.manager.open(session_id) as second:
        del first["a"]
        await first.commit()
        second["c"] = 1
        await second.commit()
        assert second == {"b": 1, "c": 1}


async def test_refresh_takes_in_what_others_did_and_keeps_what_was_done_here() -> None:
    one, other = two_nodes()
    session_id = await created(one.manager, a=1, b=[1], c=1, d=1, e=1)
    async with one.manager.open(session_id) as first, other.manager.open(session_id) as second:
        assert second["b"] == [1]
        assert second["e"] == 1
        second["a"] = "mine"
        del second["c"]
        first.update(a="theirs", b=[2], c="theirs", d="theirs", f="new")
        del first["e"]
        await first.commit()
        await second.refresh()
        assert second == {"a": "mine", "b": [2], "d": "theirs", "f": "new"}
    assert await content(one, session_id) == {"a": "mine", "b": [2], "d": "theirs", "f": "new"}


async def test_after_a_refresh_the_old_value_can_be_set_again() -> None:
    """A change is measured against what the store holds, not against what it held once."""
    one, other = two_nodes()
    session_id = await created(one.manager, a=1, b=1)
    async with one.manager.open(session_id) as first, other.manager.open(session_id) as second:
        second["a"] = 2
        del second["b"]
        first.update(a=3, b=3)
        await first.commit()
        await second.refresh()
        second["a"] = 1
        second["b"] = 1
    assert await content(one, session_id) == {"a": 1, "b": 1}


async def test_versions_grow_strictly_and_name_one_content() -> None:
    """K-04, C-8."""
    one, other = two_nodes(Time())
    session_id = await created(one.manager, n=-1)
    seen: dict[int, int] = {}
    for number, node in zip(range(50), chain.from_iterable(repeat((one, other))), strict=False):
        async with node.manager.open(session_id) as session:
            assert seen.setdefault(session.version, session["n"]) == session["n"]
            assert session.version >= max(seen)
            session["n"] = number
            await session.commit()
            assert session.version > max(seen)
            seen[session.version] = number


# -- rotation (S-06, E-10) ---------------------------------------------------------------------------------------------


async def test_rotation_moves_the_session_to_a_new_id() -> None:
    """S-06: data and creation stay, the old id is dead."""
    time = Time()
    one, other = two_nodes(time)
    session_id = await created(one.manager, cart=["pot"])
    time.pass_seconds(10)
    async with one.manager.open(session_id) as session:
        born = session.created_at
        session["user"] = "Ann"
        session.rotate_id()
        new_id = session.id
        assert new_id is not None
        assert new_id != session_id
    assert session.id == new_id
    assert one.store.counts["rotate"] == 1
    assert one.store.counts["apply"] == 0
    async with other.manager.open(new_id) as session:
        assert session == {"cart": ["pot"], "user": "Ann"}
        assert session.created_at == born
    async with other.manager.open(session_id) as session:
        assert session.is_new
        assert session == {}
    assert await one.store.count() == 1
    assert one.manager.statistics.rotated == 1


async def test_a_rotation_that_is_awaited_happens_now_and_leaves_changes_for_later() -> None:
    one, other = two_nodes()
    session_id = await created(one.manager, a=1)
    async with one.manager.open(session_id) as session:
        session["a"] = 2
        await session.rotate_id()
        assert session.id is not None
        assert await content(other, session.id) == {"a": 1}
        assert await content(other, session_id) == {}
    assert await content(other, session.id) == {"a": 2}


async def test_a_commit_under_the_old_id_is_refused_after_a_rotation() -> None:
    """S-06, S-62."""
    one, other = two_nodes()
    session_id = await created(one.manager, a=1)
    async with other.manager.open(session_id) as slow:
        async with one.manager.open(session_id) as session:
            session.rotate_id()
        slow["a"] = "stale"
        with pytest.raises(errors.SessionGone):
            await slow.commit()
    assert session.id is not None
    assert await content(one, session.id) == {"a": 1}


async def test_rotating_a_new_session_changes_nothing() -> None:
    node, _ = two_nodes()
    async with node.manager.open() as session:
        await session.rotate_id()
        session["a"] = 1
    assert node.store.counts["rotate"] == 0
    assert session.id is not None


async def test_rotating_twice_before_the_commit_is_one_rotation() -> None:
    node, _ = two_nodes()
    session_id = await created(node.manager, a=1)
    async with node.manager.open(session_id) as session:
        session.rotate_id()
        session.rotate_id()
        last = session.id
    assert node.store.counts["rotate"] == 1
    assert await content(node, last or "") == {"a": 1}


# -- the end (S-54, S-62, K-08) ----------------------------------------------------------------------------------------


async def test_invalidation_ends_the_session_for_everybody() -> None:
    """S-54, S-205: its id is None, which no other session could share."""
    one, other = two_nodes()
    session_id = await created(one.manager, a=1)
    async with one.manager.open(session_id) as session:
        session.invalidate()
        assert session.id is None
        assert session.ref is None
        assert session == {}
        assert session.status is SessionStatus.INVALIDATED
    for node in (one, other):
        assert await content(node, session_id) == {}
    assert one.manager.statistics.invalidated == 1


async def test_an_invalidation_that_is_awaited_happens_now() -> None:
    one, other = two_nodes()
    session_id = await created(one.manager, a=1)
    async with one.manager.open(session_id) as session:
        await session.invalidate()
        assert await content(other, session_id) == {}
    assert one.store.counts["delete"] == 1


async def test_what_is_put_in_after_an_invalidation_makes_a_new_session() -> None:
    one, other = two_nodes()
    session_id = await created(one.manager, a=1)
    async with one.manager.open(session_id) as session:
        session.invalidate()
        session["notice"] = "bye"
        assert session.status is SessionStatus.NEW
    assert session.id not in {None, session_id}
    assert session.id is not None
    assert await content(other, session.id) == {"notice": "bye"}
    assert await content(other, session_id) == {}


@pytest.mark.parametrize("change", [lambda s: s.update(a=2), lambda s: s.clear(), lambda s: s.rotate_id()])
async def test_a_slow_request_cannot_bring_an_ended_session_back(change: Callable[[Session], Any]) -> None:
    """S-62, K-08."""
    one, other = two_nodes()
    session_id = await created(one.manager, a=1)
    async with other.manager.open(session_id) as slow:
        async with one.manager.open(session_id) as session:
            session.invalidate()
        change(slow)
        with pytest.raises(errors.SessionGone):
            await slow.commit()
        with pytest.raises(errors.SessionGone):
            slow["a"] = 3
        with pytest.raises(errors.SessionGone):
            await slow.load()
    assert await content(one, session_id) == {}
    assert other.manager.statistics.refused_commits == 1


async def test_operations_on_an_ended_session_are_refused() -> None:
    one, other = two_nodes()
    session_id = await created(one.manager, n=1)
    operations: list[Callable[[Session], Any]] = [
        lambda session: session.increment("n"),
        lambda session: session.update("n", lambda n: n + 1),
        lambda session: session.refresh(),
        lambda session: session.rotate_id(),
    ]
    for operation in operations:
        session_id = await created(one.manager, n=1)
        async with other.manager.open(session_id) as slow:
            async with one.manager.open(session_id) as session:
                await session.invalidate()
            with pytest.raises(errors.SessionGone):
                await operation(slow)


async def test_invalidating_twice_is_invalidating_once() -> None:
    node, _ = two_nodes()
    session_id = await created(node.manager, a=1)
    async with node.manager.open(session_id) as session:
        session.invalidate()
        await session.invalidate()
        session.invalidate()
    assert node.store.counts["delete"] == 1


async def test_an_invalidation_during_a_rotation_ends_the_session_under_its_new_id() -> None:
    """Two tasks of one request: the logout must win, wherever the session has moved."""
    one, other = two_nodes()
    session_id = await created(one.manager, a=1)
    session = one.manager.requests.begin(_presented(session_id))
    await one.manager.requests.repository.load(session)
    session.rotate_id()
    new_id = session.id
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def hold(name: str) -> None:
        if name == "rotate":
            arrived.set()
            await go_on.wait()

    one.store.after = hold
    rotation = asyncio.ensure_future(session.commit())
    await arrived.wait()
    session.invalidate()
    go_on.set()
    await rotation
    await session.commit()
    assert new_id is not None
    assert await content(other, new_id) == {}
    assert await content(other, session_id) == {}


# -- creation (S-03, S-09, S-50) ---------------------------------------------------------------------------------------


async def test_nothing_is_stored_until_something_is_put_in() -> None:
    """S-50: looking, clearing, logging out and refreshing create nothing."""
    node, _ = two_nodes()
    quiet: list[Callable[[Session], Any]] = [
        lambda session: session.get("a"),
        lambda session: session.clear(),
        lambda session: session.invalidate(),
        lambda session: session.rotate_id(),
        lambda session: session.setdefault("a", 1) and session.pop("a"),
        lambda session: setattr(session, "max_inactive_interval", timedelta(minutes=1)),
        lambda session: session.pop("a", None),
    ]
    for presented in (None, new_session_id()):
        for act in quiet:
            async with node.manager.open(presented) as session:
                act(session)
                await session.refresh()
    assert node.store.counts["create"] == 0
    assert node.store.counts["touch"] == 0
    assert await node.store.count() == 0


async def test_an_id_that_is_in_use_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """S-09: whoever is there already is never shown nor overwritten."""
    one, other = two_nodes()
    victim = await created(one.manager, secret="victim")
    ids = iter([victim, victim, new_session_id()])
    monkeypatch.setattr(creation, "new_session_id", lambda _length: next(ids))
    async with other.manager.open() as session:
        session["mine"] = True
        await session.commit()
        assert session == {"mine": True}
    assert session.id != victim
    assert await content(one, victim) == {"secret": "victim"}


async def test_a_generator_that_repeats_itself_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """S-09: not an endless loop."""
    one, _ = two_nodes()
    victim = await created(one.manager, secret="victim")
    monkeypatch.setattr(creation, "new_session_id", lambda _length: victim)
    with pytest.raises(errors.StoreRefused, match="random"):
        await created(one.manager, mine=True)


async def test_a_new_session_may_have_its_own_idle_timeout() -> None:
    node, _ = two_nodes()
    async with node.manager.open() as session:
        session.max_inactive_interval = timedelta(minutes=5)
        session["a"] = 1
    async with node.manager.open(session.id) as session:
        assert session.max_inactive_interval == timedelta(minutes=5)
        session.max_inactive_interval = None
    async with node.manager.open(session.id) as session:
        assert session.max_inactive_interval is None
        assert session == {"a": 1}


# -- limits and values (R-01, R-04) ------------------------------------------------------------------------------------


BAD_VALUES: dict[str, Callable[[], Any]] = {
    "function": lambda: lambda: None,
    "object": object,
    "generator": lambda: (number for number in range(3)),
    "TextIOWrapper": lambda: open("/dev/null"),  # noqa: SIM115, PTH123 - closed below
    "lock": __import__("threading").Lock,
}


@pytest.mark.parametrize("kind", BAD_VALUES)
async def test_what_cannot_be_stored_is_refused_by_name_and_type_and_nothing_is_written(kind: str) -> None:
    """R-01."""
    one, other = two_nodes()
    session_id = await created(one.manager, good=1)
    value = BAD_VALUES[kind]()
    async with one.manager.open(session_id) as session:
        session["good"] = 2
        session["bad"] = {"inside": [value]}
        with pytest.raises(errors.CodecError, match=rf"'bad\.inside\[0\]'.*{kind}"):
            await session.commit()
        assert await content(other, session_id) == {"good": 1}
        del session["bad"]
    if hasattr(value, "close"):
        value.close()
    assert await content(other, session_id) == {"good": 2}


async def test_a_session_that_would_become_too_large_stays_as_it_was() -> None:
    """R-04."""
    one, other = two_nodes(max_session_bytes="2K", max_attributes=10)
    session_id = await created(one.manager, a="x" * 1000, b="y" * 500)
    async with one.manager.open(session_id) as session:
        session["a"] = "z" * 2000
        with pytest.raises(errors.SessionTooLarge, match=r"'a'.*max_session_bytes is 2048"):
            await session.commit()
        session["a"] = "x"
        session.update({f"n{number}": 0 for number in range(9)})
        with pytest.raises(errors.SessionTooLarge, match="max_attributes is 10"):
            await session.commit()
        del session["b"]
    assert len(await content(other, session_id)) == 10


async def test_a_session_beyond_a_limit_that_was_lowered_can_shrink_and_rotate_but_not_grow() -> None:
    """R-04: nobody is locked in, least of all at a login."""
    shared = MemoryStore()
    before, after = make_node(shared), make_node(shared, max_session_bytes="1K", max_attributes=2)
    session_id = await created(before.manager, a="x" * 3000, b="y" * 1000, c=1)
    async with after.manager.open(session_id) as session:
        await session.rotate_id()
        session["b"] = "y"
        await session.commit()
        session["a"] = "x" * 2000
        await session.commit()
        session["c"] = "longer than before"
        with pytest.raises(errors.SessionTooLarge, match="max_session_bytes"):
            await session.commit()
        session["c"] = 1
        session["d"] = 1
        with pytest.raises(errors.SessionTooLarge, match="max_attributes"):
            await session.commit()
        del session["d"]
        del session["a"]
    assert await content(before, session.id or "") == {"b": "y", "c": 1}


async def test_counting_cannot_pass_the_limits() -> None:
    """R-04."""
    one, other = two_nodes(max_attributes=2)
    session_id = await created(one.manager, a=1, b=2)
    async with one.manager.open(session_id) as session:
        assert await session.increment("a") == 2
        with pytest.raises(errors.SessionTooLarge, match=r"'c'.*max_attributes"):
            await session.increment("c")
    assert await content(other, session_id) == {"a": 2, "b": 2}


async def test_a_new_session_keeps_to_the_limits() -> None:
    node, _ = two_nodes(max_attributes=2)
    with pytest.raises(errors.SessionTooLarge, match="max_attributes"):
        await created(node.manager, a=1, b=2, c=3)
    assert node.store.counts["create"] == 0


async def test_a_large_session_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-04."""
    monkeypatch.setattr(committer, "_log", LogThrottle(logging.getLogger("wsgessions.sessions")))
    node, _ = two_nodes()
    for _ in range(3):
        await created(node.manager, a="x" * 70_000)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.__dict__["event"] for record in warnings] == ["large_session"]


# -- when the store fails ----------------------------------------------------------------------------------------------


async def test_changes_outlive_a_failed_commit() -> None:
    one, other = two_nodes()
    session_id = await created(one.manager, a=1)
    async with one.manager.open(session_id) as session:
        session["a"] = 2
        session.rotate_id()
        one.store.down = True
        with pytest.raises(errors.StoreUnavailable):
            await session.commit()
        one.store.down = False
    assert await content(other, session.id or "") == {"a": 2}
    assert one.manager.statistics.store_failures == 1


async def test_a_commit_whose_answer_is_lost_can_be_repeated() -> None:
    """C-9: whether it arrived or not, the outcome is what was asked for."""
    one, other = two_nodes()
    session_id = await created(one.manager, a=1)
    async with one.manager.open(session_id) as session:
        session["a"] = 2
        one.store.deaf = True
        with pytest.raises(errors.StoreUnavailable):
            await session.commit()
        one.store.deaf = False
    assert await content(other, session_id) == {"a": 2}


async def test_an_invalidation_outlives_a_failed_commit() -> None:
    one, other = two_nodes()
    session_id = await created(one.manager, a=1)
    async with one.manager.open(session_id) as session:
        session.invalidate()
        one.store.down = True
        with pytest.raises(errors.StoreUnavailable):
            await session.commit()
        one.store.down = False
    assert await content(other, session_id) == {}


# -- what is told of commits -------------------------------------------------------------------------------------------


async def test_the_last_commit_tells_what_was_sent_and_what_the_whole_is() -> None:
    one, _ = two_nodes()
    session_id = await created(one.manager, a="x" * 100, b=1)
    async with one.manager.open(session_id) as session:
        session["b"] = 2
        await session.commit()
        report = session.last_commit
        assert report is not None
        assert report.changed == ("b",)
        assert report.removed == ()
        assert report.bytes_sent == 2
        assert report.bytes_whole == 105
        assert report.version == session.version
        del session["a"]
        await session.commit()
        assert session.last_commit is not None
        assert session.last_commit.removed == ("a",)


async def test_statistics_count_what_happened() -> None:
    node, _ = two_nodes()
    session_id = await created(node.manager, a=1)
    async with node.manager.open(session_id) as session:
        session["a"] = 2
    async with node.manager.open(session_id) as session:
        session.invalidate()
    counted = {name: count for name, count in node.manager.statistics.snapshot().items() if count}
    assert counted == {
        "created": 1,
        "loads": 2,
        "commits": 1,
        "invalidated": 1,
        "bytes_sent": 4,
        "bytes_whole": 4,
    }


def _presented(session_id: str) -> Any:
    return PresentedCredentials(session_id, None, CredentialStatus.PRESENT)


# -- changes while a commit is on its way ------------------------------------------------------------------------------


async def committing(node: Node, session: Session, meanwhile: Callable[[], Any]) -> None:
    """Commit, and do something else after the store has taken it and before it has answered."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def hold(name: str) -> None:
        if name in {"apply", "rotate"}:
            arrived.set()
            await go_on.wait()

    node.store.after = hold
    commit = asyncio.ensure_future(session.commit())
    await arrived.wait()
    meanwhile()
    go_on.set()
    await commit


async def test_changes_made_while_a_commit_is_on_its_way_belong_to_the_next() -> None:
    """Tasks of one request may share its session."""
    one, other = two_nodes()
    session_id = await created(one.manager, a=1, b=1, c=1, cart=["pot"])
    async with one.manager.open(session_id) as session:
        session.update(a=2, b=2)
        del session["c"]
        session["cart"].append("cup")

        def meanwhile() -> None:
            session["a"] = 3
            del session["b"]
            session["c"] = 3
            session["cart"].append("cap")

        await committing(one, session, meanwhile)
        assert await content(other, session_id) == {"a": 2, "b": 2, "cart": ["pot", "cup"]}
        expected = {"a": 3, "c": 3, "cart": ["pot", "cup", "cap"]}
        assert session == expected
    assert await content(other, session_id) == expected


async def test_an_idle_timeout_set_while_a_commit_is_on_its_way_belongs_to_the_next() -> None:
    one, other = two_nodes()
    session_id = await created(one.manager, a=1)
    async with one.manager.open(session_id) as session:
        session.max_inactive_interval = timedelta(minutes=1)
        await committing(one, session, lambda: setattr(session, "max_inactive_interval", timedelta(minutes=2)))
    async with other.manager.open(session_id) as session:
        assert session.max_inactive_interval == timedelta(minutes=2)


async def test_a_logout_while_a_commit_is_on_its_way_is_a_logout() -> None:
    one, other = two_nodes()
    session_id = await created(one.manager, a=1)
    async with one.manager.open(session_id) as session:
        session["a"] = 2
        await committing(one, session, session.invalidate)
        assert session == {}
    assert await content(other, session_id) == {}


async def test_two_commits_at_once_are_one_change() -> None:
    one, other = two_nodes()
    session_id = await created(one.manager, a=1, gone=1)
    async with one.manager.open(session_id) as session:
        session["a"] = 2
        del session["gone"]
        await asyncio.gather(session.commit(), session.commit(), session.refresh())
        assert session == {"a": 2}
    assert await content(other, session_id) == {"a": 2}


async def test_a_change_that_nobody_can_tell_the_fate_of_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """C-9: never reported as stored, nor as refused."""
    one, _ = two_nodes()
    session_id = await created(one.manager, a=1)

    async def unknown(*arguments: Any, **more: Any) -> CommitOutcome:
        return CommitOutcome(CommitStatus.UNKNOWN)

    async with one.manager.open(session_id) as session:
        session["a"] = 2
        with monkeypatch.context() as patch:
            patch.setattr(one.store, "apply", unknown)
            with pytest.raises(errors.StoreUnavailable, match="applied or not"):
                await session.commit()
        assert session["a"] == 2


async def test_only_the_latest_reports_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that serves millions of sessions remembers a bounded number of them."""
    monkeypatch.setattr(commit_log, "MAX_REPORTS", 2)
    node, _ = two_nodes()
    ids = [await created(node.manager, a=number) for number in range(3)]
    reports = []
    for session_id in ids:
        async with node.manager.open(session_id) as session:
            reports.append(session.last_commit)
    assert reports[0] is None
    assert None not in reports[1:]


# -- what frameworks ask for -------------------------------------------------------------------------------------------


async def test_an_empty_session_is_created_when_that_is_asked_for() -> None:
    """S-50 says that nothing is created by itself."""
    one, other = two_nodes()
    session = one.manager.requests.begin(PresentedCredentials())
    told = one.manager.requests.reserve_id(unit_of(session))
    await one.manager.requests.repository.create(session)
    assert session.id == told
    assert (session.is_new, session) == (False, {})
    async with other.manager.open(told) as seen:
        assert not seen.is_new


async def test_creating_takes_along_what_is_there_and_ends_what_was_to_end() -> None:
    node, _ = two_nodes()
    session_id = await created(node.manager, color="red")
    async with node.manager.open(session_id) as session:
        session.invalidate()
        session["color"] = "blue"
        await node.manager.requests.repository.create(session)
        assert session.id not in {None, session_id}
        after = session.id or ""
    assert await content(node, after) == {"color": "blue"}
    assert await content(node, session_id) == {}


@pytest.mark.parametrize(
    ("told", "age"),
    [(None, None), (timedelta(minutes=10), 600), (timedelta(milliseconds=1), 1), (timedelta(days=900), 86_400)],
)
async def test_a_cookie_lives_as_long_as_it_is_told_and_never_beyond_the_session(
    told: timedelta | None, age: int | None
) -> None:
    """S-27, S-33."""
    manager = SessionManager(store_url="memory:", cookie={"max_age": 3600})
    async with manager.open() as session:
        session["color"] = "red"
        await session.commit()
        assert manager.requests.cookie_max_age(unit_of(session)) == 3600
        unit_of(session).keep_cookie(told)
        assert manager.requests.cookie_max_age(unit_of(session)) in {age, None if age is None else age - 1}


async def test_a_cookie_that_is_due_takes_one_commit() -> None:
    """S-27: without changes a further commit sends nothing."""
    node, _ = two_nodes()
    session_id = await created(node.manager, a=1)
    async with node.manager.open(session_id) as session:
        assert session["a"] == 1
        unit_of(session).is_cookie_due = True
        await session.commit()
        await session.commit()
    assert node.store.calls.count("apply") == 1
