"""Creates a session in the store, under an unused id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ..credentials.identity import Identity, new_session_id
from ..errors import StoreRefused
from ..internal.masked import masked
from ..record import NewSession, SessionRecord
from ..session import UnitOfWork
from ..settings import SessionSettings
from ..store.contract import Store

__all__ = ["MAX_ID_DRAWS", "create_under_new_id"]

MAX_ID_DRAWS: Final = 8
"""Attempts at an unused id. One suffices, unless the generator is broken (S-09)."""


@masked
class _Drawn(NamedTuple):
    """A new id; shown by its length if the store fails (S-80)."""

    id: str


async def create_under_new_id(
    unit: UnitOfWork,
    attributes: Mapping[str, bytes],
    *,
    store: Store,
    identity: Identity,
    settings: SessionSettings,
    deadline: float,
) -> tuple[str, SessionRecord]:
    """Create a session, under its reserved id or a new one; returns the id and the stored record.

    Raises:
        StoreRefused: all ids that were drawn are in use.
        StoreUnavailable: the store did not answer.
    """
    interval_ms = settings.interval_ms if unit.interval_ms is None else unit.interval_ms
    lifetime_ms, principal = settings.lifetime_ms, unit.pending_principal or None
    for _ in range(MAX_ID_DRAWS):
        drawn, unit.reserved_id = _Drawn(unit.reserved_id or new_session_id(settings.id_length)), None
        new = NewSession(identity.key(drawn.id), attributes, interval_ms, lifetime_ms, principal=principal)
        record = await store.create(new, deadline=deadline)
        if record is not None:
            return drawn.id, record
    raise StoreRefused(
        f"no unused session id in {MAX_ID_DRAWS} attempts", hint="the random numbers of this process repeat"
    )
