"""Collects touches and sends them in batches: no request waits for one, and a busy session costs one per interval."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Coroutine
from typing import Any, Final

from ..errors import StoreUnavailable
from ..internal import real_time as time
from ..internal.log_throttle import LogThrottle
from ..internal.own_context import begin_task
from ..internal.two_generation_cache import TwoGenerationCache
from ..record import (
    CommitOutcome,
    CommitStatus,
    NewSession,
    RotationTarget,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionKey,
    SessionRecord,
)
from ..store.contract import NEVER, Store
from ..store.layer import Layer
from .touch_interval import TouchInterval

__all__ = ["Touches"]

_log = LogThrottle(logging.getLogger("wsgessions.touch"))

_FORWARDS_REMEMBERED: Final = 1024
"""The number of renewed ids that are remembered as sent; to send one again would change nothing."""


class Touches(Layer[Store]):
    """A `Store` before a store with the capability `TouchBuffer`: an access takes effect within an interval (C-16).

    Touches that the store could not accept are kept for the next interval. A process that is killed loses those of its
    last interval, or step, and can thereby shorten an idle timeout by that much and no more.

    Args:
        store: the store behind; used from one event loop.
        interval: seconds between two batches; default 1.
        step: seconds between two touches of one session, at most 5 % of its idle timeout; by default there is a touch
            in every batch. An earlier touch waits until then, and is not lost.
    """

    def __init__(self, store: Store, *, interval: float = 1.0, step: float = 0.0) -> None:
        super().__init__(store)
        self._interval = interval
        self._step = TouchInterval(step, store.clock.now_ms)
        self._pending: set[SessionKey] = set()
        self._presented: dict[SessionKey, int] = {}
        self._ended_forwards: TwoGenerationCache[SessionKey, int] = TwoGenerationCache(_FORWARDS_REMEMBERED)
        self._flusher: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self, *, deadline: float = NEVER) -> None:
        """See `Store.start`."""
        self._loop = asyncio.get_running_loop()
        await self.below.start(deadline=deadline)

    async def close(self) -> None:
        """Send the collected touches, then close the store behind."""
        flusher, self._flusher = self._flusher, None
        if flusher is not None and not flusher.done():
            flusher.cancel()
            await asyncio.gather(flusher, return_exceptions=True)
        self._loop = None
        await self._end_forwards()
        await self._send(self._pending.copy())
        await self.below.close()

    async def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> None:
        """See `Store.touch`: sent at once, for an access that must not wait for the next batch."""
        self._pending.difference_update(keys)
        await self.below.touch(keys, deadline=deadline)
        self._step.note_touched(set(keys))

    def note_use(self, key: SessionKey) -> bool:
        """See `TouchBuffer.note_use`; sent with the next batch."""
        if self._flusher is not None and not self._flusher.done():
            self._pending.add(key)
            return True
        if self._loop is None or self._loop.is_closed():
            return False
        self._pending.add(key)
        self._loop.call_soon_threadsafe(self._begin)
        return True

    def note_presented(self, old: SessionKey, grace_ms: int) -> bool:
        """See `TouchBuffer.note_presented`; sent with the next batch, once for each key."""
        if self._loop is None or self._loop.is_closed():
            return False
        if self._ended_forwards[old] is None:
            self._ended_forwards.put(old, grace_ms)
            self._presented[old] = grace_ms
            self._loop.call_soon_threadsafe(self._begin)
        return True

    def _begin(self) -> None:
        # It may have ended with the previous event loop, or by a fault of the store behind.
        if (self._pending or self._presented) and (self._flusher is None or self._flusher.done()):
            self._flusher = begin_task(self._flush_later(), name="wsgessions touches")

    async def _flush_later(self) -> None:
        try:
            while self._pending or self._presented:
                await asyncio.sleep(self._interval)
                await self._end_forwards()
                # Other threads may add to the set at any time; a copy is made in one step.
                await self._send(self._step.due(self._pending.copy()))
        finally:
            self._flusher = None
        self._begin()

    async def _end_forwards(self) -> None:
        while self._presented:
            old, grace_ms = self._presented.popitem()
            same = [old, *(key for key, grace in self._presented.copy().items() if grace == grace_ms)]
            for key in same[1:]:
                self._presented.pop(key, None)
            try:
                await self.below.end_forward(same, grace_ms=grace_ms, deadline=time.monotonic() + self._interval)
            except StoreUnavailable as error:
                self._presented.update(dict.fromkeys(same, grace_ms))
                _log.warning("forwards_kept", "%d renewed ids stay valid for longer: %s", len(same), error)
                return

    async def _send(self, keys: set[SessionKey]) -> None:
        if not keys:
            return
        self._pending -= keys
        try:
            await self.below.touch(keys, deadline=time.monotonic() + self._interval)
            self._step.note_touched(keys)
        except StoreUnavailable as error:
            self._pending |= keys
            _log.warning("touches_kept", "%d sessions could not be touched and stay in the batch: %s", len(keys), error)
        except Exception as error:  # noqa: BLE001 - no error may end the sessions in use
            self._pending |= keys
            _log.error("touch_broke", "%d sessions stay in the batch: a %s", len(keys), type(error).__name__)
        except BaseException:
            self._pending |= keys
            raise

    # -- passed to the store behind ------------------------------------------------------------------------------------

    async def create(self, new: NewSession, *, deadline: float = NEVER) -> SessionRecord | None:
        """See `Store.create`."""
        record = await self.below.create(new, deadline=deadline)
        if record is not None:
            self._learn(new.key, record)
        return record

    async def load(
        self, key: SessionKey, *, since: Seen | None = None, deadline: float = NEVER
    ) -> SessionRecord | SessionChanges | None:
        """See `Store.load`."""
        found = await self.below.load(key, since=since, deadline=deadline)
        if found is not None:
            self._learn(key, found)
        return found

    def _learn(self, key: SessionKey, found: SessionRecord | SessionChanges) -> None:
        self._step.learn(key, interval_ms=found.interval_ms, expires_ms=found.expires_ms)

    def apply(self, delta: SessionDelta, *, deadline: float = NEVER) -> Coroutine[Any, Any, CommitOutcome]:
        """See `Store.apply`. A commit is an access, so the session needs no touch."""
        self._pending.discard(delta.key)
        applied = self.below.apply(delta, deadline=deadline)
        return self._learning_of(delta, applied) if self._step.counts else applied

    async def _learning_of(self, delta: SessionDelta, applied: Coroutine[Any, Any, CommitOutcome]) -> CommitOutcome:
        outcome = await applied
        if delta.interval_ms is not None:
            self._step.forget(delta.key)
        elif outcome.status is CommitStatus.APPLIED:
            self._step.note_touched({delta.key})
        return outcome

    async def rotate(self, delta: SessionDelta, successor: RotationTarget, *, deadline: float = NEVER) -> CommitOutcome:
        """See `Store.rotate`."""
        self._drop(delta.key)
        return await self.below.rotate(delta, successor, deadline=deadline)

    async def delete(self, key: SessionKey, *, by_client: bool = False, deadline: float = NEVER) -> bool:
        """See `Store.delete`."""
        self._drop(key)
        return await self.below.delete(key, by_client=by_client, deadline=deadline)

    def _drop(self, key: SessionKey) -> None:
        self._pending.discard(key)
        self._step.forget(key)
