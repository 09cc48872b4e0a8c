"""Former ids of sessions: how long they lead on after a renewal, and which of them were given up (C-23, C-24)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from ....errors import StoreRefused
from ....record import SessionKey
from ....store.constants import REPLACED_MS, TOMBSTONE_MS
from ..client.requests import ScriptCall
from ..format import scripts
from ..format.forward import Redirect, forward_in
from ..format.session_scripts import END_FORWARD
from ..sender import Sender

__all__ = ["FormerIds"]

_SCRIPTS_PER_PIPELINE: Final = 32


class FormerIds:
    """Keeps and ends former ids in one store.

    Args:
        sender: of the store.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def end_forward(self, keys: Collection[SessionKey], grace_ms: int, deadline: float) -> None:
        """See `Store.end_forward`."""
        records = [(await self._sender.segment(key, deadline)).record(key) for key in keys]
        calls = [ScriptCall(END_FORWARD, (record,), (grace_ms, TOMBSTONE_MS)) for record in records]
        for i in range(0, len(calls), _SCRIPTS_PER_PIPELINE):
            await self._sender.answers(calls[i : i + _SCRIPTS_PER_PIPELINE], deadline=deadline)

    async def keep_forward(self, key: SessionKey, forward: Redirect, deadline: float) -> None:
        """A client that has not received its new id still uses the old one: that one lives as long as the session."""
        if forward.idle_ms:
            record = (await self._sender.segment(key, deadline)).record(key)
            await self._sender.request(b"PEXPIRE", record, forward.idle_ms + TOMBSTONE_MS, b"GT", deadline=deadline)

    async def was_replaced(self, key: SessionKey, deadline: float) -> bool:
        """See `Store.was_replaced`. Each forward is followed once: no release writes a circle, but another writer
        may.
        """
        followed: set[SessionKey] = set()
        onward: SessionKey | bool = key
        while not isinstance(onward, bool):
            followed.add(onward)
            onward = await self._look(onward, deadline)
            if onward in followed:
                return False
        return onward

    async def _look(self, key: SessionKey, deadline: float) -> bool | SessionKey:
        """The answer, or the key under which it is to be looked for."""
        record = (await self._sender.segment(key, deadline)).record(key)
        look = ((b"TIME",), (b"HMGET", record, scripts.GIVEN_UP, scripts.FORWARD, scripts.TOMBSTONE))
        now, found = await self._sender.pipeline(look, deadline=deadline)
        if isinstance(found, StoreRefused):  # a value that is not a hash is not a session of ours
            return False
        given_up, forward, tombstone = found
        now_ms = scripts.milliseconds(now)
        if given_up is not None:
            return int.from_bytes(given_up) > now_ms - REPLACED_MS
        fields = {scripts.FORWARD: forward or b"", scripts.TOMBSTONE: tombstone or b""}
        onward = forward_in(key, fields, now_ms)
        return False if onward is None else onward.key
