"""A suite for stores that list their sessions, a page at a time (E-8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ...errors import InvalidCursor
from ...record import NewSession, SessionKey
from ...store.capabilities import find_capability
from ...store.contract import Store
from ...store.listing import Listing, Names, Position, SessionHead
from .harness import DAY, IDLE, StoreHarness, change, created, new_key, stored, successor_of
from .principals import bound, moved

__all__ = ["ListingSuite", "all_listed", "listing_of"]

NO_CURSORS = [
    *("", "x", "\0", "!" * 24, "=" * 24, "é" * 24, "_" * 24, "A" * 23, "A" * 25, "A" * 28, "A" * 24 + "\n"),
    Position(65_535, 0, b"").cursor,
]


def listing_of(store: Store) -> Listing:
    """The capability of the store."""
    listing = find_capability(store, Listing)
    assert listing is not None
    return listing


async def all_listed(store: Store, limit: int = 100, *, names: Names = ()) -> list[SessionHead]:
    """What is on all pages of that size, in the order of the store."""
    return [head async for head in paged(store, limit, names=names)]


async def paged(store: Store, limit: int, *, names: Names = ()) -> AsyncIterator[SessionHead]:
    """One session after the other; each page is read after the previous one was processed."""
    cursor: str | None = None
    while True:
        page = await listing_of(store).page(cursor, limit, names=names)
        assert len(page.heads) <= limit
        for head in page.heads:
            yield head
        if page.cursor is None:
            return
        assert page.cursor != cursor
        cursor = page.cursor


class ListingSuite(StoreHarness):
    """The cases for a store that lists its sessions."""

    async def test_where_there_are_no_sessions_there_is_one_empty_page(self, store: Store) -> None:
        assert await listing_of(store).page(None, 10) == ([], None)

    @pytest.mark.parametrize("limit", [1, 7, 20, 100])
    async def test_every_session_is_listed_exactly_once_if_nothing_moves(self, store: Store, limit: int) -> None:
        made = await asyncio.gather(*(created(store, idle=IDLE + at % 3) for at in range(20)))
        listed = await all_listed(store, limit)
        assert len(listed) == 20
        assert keys_of(listed) == {record.key for record in made}
        assert listed == await all_listed(store, 20)

    async def test_the_last_page_says_so_also_where_it_is_full(self, store: Store) -> None:
        for _ in range(6):
            await created(store)
        first = await listing_of(store).page(None, 3)
        last = await listing_of(store).page(first.cursor, 3)
        assert (len(first.heads), len(last.heads), last.cursor) == (3, 3, None)

    async def test_sessions_that_end_in_the_same_instant_are_told_apart(self, store: Store) -> None:
        """As sessions without an idle timeout do, when many are created at once."""
        made = await asyncio.gather(*(store.create(new_that_idles_for_ever()) for _ in range(60)))
        listed = await all_listed(store, 4)
        assert len(listed) == 60
        assert keys_of(listed) == {record.key for record in made if record is not None}

    async def test_a_head_says_what_the_record_says(self, store: Store) -> None:
        """S-80: its key too, so that its ref is that of the session."""
        plain, owned = await created(store, {"a": b"1", "b": b"2"}), await bound(store, "ada", {"a": b"3"}, idle=0)
        moving = await moved(store, await created(store, {"b": b"4"}), binds="bob")
        for record in (plain, owned, await moved(store, moving, binds="")):
            [head] = [head for head in await all_listed(store, names=["a", "c"]) if head.key == record.key]
            assert head == SessionHead.of(await stored(store, record), ["a"])
            assert head.attributes == {name: raw for name, raw in record.attributes.raw.items() if name == "a"}
        assert all(head.attributes == {} for head in await all_listed(store))

    async def test_what_begins_while_sessions_are_listed_shifts_none(self, store: Store) -> None:
        made = [await created(store) for _ in range(12)]
        seen: list[SessionKey] = []
        async for head in paged(store, 2):
            seen.append(head.key)
            if len(seen) <= 12:
                for idle in (1, 2 * IDLE):
                    await created(store, idle=idle)
        assert [seen.count(record.key) for record in made] == [1] * 12

    async def test_what_ends_while_sessions_are_listed_hides_none(self, store: Store) -> None:
        """Not even the session that the cursor was made from."""
        made = [await created(store) for _ in range(12)]
        seen: list[SessionKey] = []
        async for head in paged(store, 2):
            seen.append(head.key)
            await store.delete(head.key)
        assert sorted(seen) == sorted(record.key for record in made)
        assert await all_listed(store) == []

    async def test_a_session_that_is_used_while_it_is_listed_hides_no_other(self, store: Store) -> None:
        made = [await created(store) for _ in range(12)]
        await self.advance(store, 1)
        used = made[3]
        seen: list[SessionKey] = []
        async for head in paged(store, 2):
            seen.append(head.key)
            await store.touch([used.key])
        assert [seen.count(record.key) for record in made if record is not used] == [1] * 11

    async def test_what_has_expired_or_ended_is_not_listed(self, store: Store) -> None:
        """C-16: not within the grace either, in which it may still be used."""
        short, ended, used, over = [await created(store) for _ in range(4)]
        await store.delete(ended.key)
        assert keys_of(await all_listed(store)) == {short.key, used.key, over.key}
        await self.advance(store, IDLE - 60)
        await store.touch([used.key])
        await self.advance(store, 61)
        assert keys_of(await all_listed(store)) == {used.key}
        await self.advance(store, DAY)
        assert await all_listed(store) == []

    async def test_a_session_is_listed_under_its_present_key_alone(self, store: Store) -> None:
        """S-06, S-07: also while the old key still leads to it."""
        renewed = await moved(store, await created(store), forward_ms=10_000)
        again = await moved(store, renewed, forward_ms=10_000)
        record = await created(store)
        to = successor_of(record.key)
        await store.rotate(change(record), to)
        assert sorted(head.key for head in await all_listed(store, 1)) == sorted([again.key, to.key])

    @pytest.mark.parametrize("cursor", NO_CURSORS)
    async def test_what_is_no_cursor_is_refused(self, store: Store, cursor: str) -> None:
        await created(store)
        with pytest.raises(InvalidCursor) as refused:
            await listing_of(store).page(cursor, 10)
        assert refused.value.code == "invalid_cursor"

    async def test_a_cursor_can_stand_in_a_url_and_does_not_tell_a_key(self, store: Store) -> None:
        """S-100."""
        for _ in range(2):
            await created(store)
        page = await listing_of(store).page(None, 1)
        assert page.cursor is not None
        assert page.cursor.isascii()
        assert page.cursor.replace("-", "").replace("_", "").isalnum()
        assert page.heads[0].key.digest.hex() not in page.cursor
        assert len(page.cursor) < len(page.heads[0].key.digest) * 2

    async def test_a_session_is_found_by_its_ref_and_no_other(self, store: Store) -> None:
        """S-80."""
        made = [await bound(store, "ada", {"a": b"1"}) for _ in range(5)] + [await created(store) for _ in range(5)]
        for record in made:
            [head] = await listing_of(store).with_ref(record.key.ref, names=["a"])
            assert head == SessionHead.of(record, ["a"])
        await store.delete(made[0].key)
        after = await moved(store, made[5], forward_ms=10_000)
        for ref in (made[0].key.ref, made[5].key.ref, new_key().ref, "", "no ref", made[1].key.ref.upper() + " "):
            assert await listing_of(store).with_ref(ref) == []
        assert len(await listing_of(store).with_ref(after.key.ref)) == 1

    @pytest.mark.parametrize("byte", b"*?[]\\^-\n\0\xff")
    async def test_no_byte_of_a_key_is_special_where_a_ref_is_looked_for(self, store: Store, byte: int) -> None:
        made = [SessionKey(7, bytes([byte] * 5) + bytes([last] * 11)) for last in (1, 2)]
        for key in (*made, SessionKey(7, b"A" * 16)):
            assert await store.create(NewSession(key, {}, IDLE * 1000, DAY * 1000))
        assert keys_of(await listing_of(store).with_ref(made[0].ref)) == set(made)

    async def test_what_has_expired_is_not_found_by_its_ref(self, store: Store) -> None:
        record = await created(store)
        await self.advance(store, IDLE + 1)
        assert await listing_of(store).with_ref(record.key.ref) == []


def new_that_idles_for_ever() -> NewSession:
    """A session that ends with its deadline."""
    return NewSession(new_key(), {}, 0, DAY * 1000)


def keys_of(heads: list[SessionHead]) -> set[SessionKey]:
    """The positions of these sessions."""
    return {head.key for head in heads}
