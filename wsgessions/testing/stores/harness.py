"""The base of the cases of `StoreSuite`: a store, a way to let time pass, and short names for the usual values."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager

import pytest

from ... import codec
from ...record import NewSession, RotationTarget, SessionDelta, SessionKey, SessionRecord, new_incarnation
from ...store.contract import Store

__all__ = ["DAY", "IDLE", "StoreHarness", "stored", "change", "created", "new_key", "number", "successor_of"]

IDLE = 600
"""Seconds: the idle timeout of sessions in the cases."""
DAY = 86_400
"""Seconds: their life."""


class StoreHarness(ABC):
    """Provides the store of the cases."""

    @abstractmethod
    def opened(self) -> AbstractAsyncContextManager[Store]:
        """A started store, closed at the end of the block. Two stores opened one after the other may keep the same
        sessions.
        """

    @abstractmethod
    async def advance(self, store: Store, seconds: float) -> None:
        """Let time pass for all sessions in the store, by the clock or by moving the times that it keeps."""

    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]:
        """The store of one test."""
        async with self.opened() as store:
            yield store


def new_key(prefix: int | None = None) -> SessionKey:
    """A key that has not been used yet."""
    return SessionKey(secrets.randbelow(4096) if prefix is None else prefix, secrets.token_bytes(16))


def successor_of(key: SessionKey) -> RotationTarget:
    """A target for the rotation of a session under ``key``."""
    return RotationTarget(new_key(key.prefix), new_incarnation())


def number(value: float) -> bytes:
    """The bytes of an attribute that is a number."""
    return codec.encode(value, name="number")


async def created(
    store: Store, attributes: Mapping[str, bytes] | None = None, *, idle: float = IDLE, life: float = DAY
) -> SessionRecord:
    """A session just created; times in seconds, no idle timeout if ``idle`` is 0."""
    new = NewSession(new_key(), attributes or {}, interval_ms=round(idle * 1000), lifetime_ms=round(life * 1000))
    record = await store.create(new)
    assert record is not None, "a new key must be free"
    return record


def change(record: SessionRecord, **changed: bytes) -> SessionDelta:
    """A commit by a client that has seen ``record``."""
    return SessionDelta(record.key, record.incarnation, record.version, changed)


async def stored(store: Store, record: SessionRecord) -> SessionRecord:
    """The present session in the store, which must have it."""
    now = await store.load(record.key)
    assert isinstance(now, SessionRecord), "the session must be there"
    return now
