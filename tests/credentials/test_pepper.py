"""Store keys that are keyed digests of the ids (S-08)."""

from __future__ import annotations

import pytest

from tests.nodes import Node, make_node
from wsgessions.stores.memory.store import MemoryStore

PEPPER = "kJ8xZ2vQ-mN5tR7wY1pL4sD6fG9hB3cA0eU"
OTHER = "Zq3Wn8Lr5-Tx1Vb6Ym9Kc2Hd7Gf4Js0PaEoI"


async def created(node: Node) -> str:
    async with node.manager.open() as session:
        session["user"] = "ann"
    assert session.id is not None
    return session.id.get_secret_value()


async def test_nodes_with_the_same_pepper_share_sessions() -> None:
    shared = MemoryStore()
    one, other = make_node(shared, pepper=PEPPER), make_node(shared, pepper=PEPPER)
    async with other.manager.open(await created(one)) as session:
        assert session == {"user": "ann"}
        assert one.manager.requests.owns(session)


@pytest.mark.parametrize(("before", "after"), [(None, PEPPER), (PEPPER, OTHER), (PEPPER, None)])
async def test_setting_changing_or_removing_the_pepper_makes_sessions_unknown(
    before: str | None, after: str | None
) -> None:
    """And two managers that differ in it do not keep the same sessions."""
    shared = MemoryStore()
    one, other = make_node(shared, pepper=before), make_node(shared, pepper=after)
    session_id = await created(one)
    async with other.manager.open(session_id) as session:
        assert session.is_new
        assert not one.manager.requests.owns(session)
    assert other.manager.statistics.unknown_ids == 1


async def test_a_session_with_a_pepper_is_rotated_and_ended_as_any_other() -> None:
    """S-06, S-54."""
    node = make_node(MemoryStore(), pepper=PEPPER)
    session_id = await created(node)
    async with node.manager.open(session_id) as session:
        session.rotate_id()
        await session.commit()
        rotated = session.id
        assert rotated != session_id
    async with node.manager.open(rotated) as session:
        assert session == {"user": "ann"}
        session.invalidate()
    for dead in (session_id, rotated):
        async with node.manager.open(dead) as session:
            assert session.is_new
