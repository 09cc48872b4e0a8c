"""The sessions of one application: opened for what a client presented, committed, renewed, listed and ended.

Begin with `manager`. What its sessions ask of it is done by their owner, each the base of the next: `loading`,
`store_owner`, `attribute_operations`.
"""

from __future__ import annotations

from .all_sessions import LivePage
from .manager import SessionManager, manager_for
from .principal_sessions import LiveSession
from .rejected_ids import OnSuspicious, Suspicion
from .store_argument import StoreOrClient, with_store

__all__ = [
    "LivePage",
    "LiveSession",
    "OnSuspicious",
    "SessionManager",
    "StoreOrClient",
    "Suspicion",
    "manager_for",
    "with_store",
]
