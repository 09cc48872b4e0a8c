"""Former ids of sessions: how long they lead on after a renewal, and which of them were given up (C-23, C-24)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from ....errors import StoreRefused
from ....record import SessionKey
from ....store.constants import REPLACED_MS, TOMBSTONE_MS
from ..client.commands import ScriptCall
from ..format import scripts
from ..format.forward import Redirect, forward_in
from ..format.session_scripts import END_FORWARD

if TYPE_CHECKING:
    from ..store import ValkeyStore

__all__ = ["end_forward", "keep_forward", "was_replaced"]

_SCRIPTS_PER_PIPELINE: Final = 32


async def end_forward(store: ValkeyStore, keys: Collection[SessionKey], grace_ms: int, deadline: float) -> None:
    """See `Store.end_forward`."""
    calls = [
        ScriptCall(END_FORWARD, [(await store.segment(key, deadline)).record(key)], (grace_ms, TOMBSTONE_MS))
        for key in keys
    ]
    for i in range(0, len(calls), _SCRIPTS_PER_PIPELINE):
        await store.sender.answers(calls[i : i + _SCRIPTS_PER_PIPELINE], deadline)


async def keep_forward(store: ValkeyStore, key: SessionKey, forward: Redirect, deadline: float) -> None:
    """A client that has not received its new id still uses the old one: that one lives as long as the session."""
    if forward.idle_ms:
        record = (await store.segment(key, deadline)).record(key)
        until = forward.idle_ms + TOMBSTONE_MS
        await store.sender.send(lambda _: store.link.request(b"PEXPIRE", record, until, b"GT", deadline=deadline))


async def was_replaced(store: ValkeyStore, key: SessionKey, deadline: float) -> bool:
    """See `Store.was_replaced`. Each forward is followed once: no release writes a circle, but another writer may."""
    followed: set[SessionKey] = set()
    onward: SessionKey | bool = key
    while not isinstance(onward, bool):
        followed.add(onward)
        onward = await _look(store, onward, deadline)
        if onward in followed:
            return False
    return onward


async def _look(store: ValkeyStore, key: SessionKey, deadline: float) -> bool | SessionKey:
    """The answer, or the key under which it is to be looked for."""
    record = (await store.segment(key, deadline)).record(key)
    look = ((b"TIME",), (b"HMGET", record, scripts.GIVEN_UP, scripts.FORWARD, scripts.TOMBSTONE))
    now, found = await store.sender.send(lambda _: store.link.pipeline(look, deadline=deadline))
    if isinstance(found, StoreRefused):  # a value that is not a hash is not a session of ours
        return False
    given_up, forward, tombstone = found
    now_ms = scripts.milliseconds(now)
    if given_up is not None:
        return int.from_bytes(given_up) > now_ms - REPLACED_MS
    fields = {scripts.FORWARD: forward or b"", scripts.TOMBSTONE: tombstone or b""}
    onward = forward_in(key, fields, now_ms)
    return False if onward is None else onward.key
