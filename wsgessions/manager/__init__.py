"""The sessions of one application: opened for presented credentials, committed, renewed, listed and ended.

Begin with `manager`. The store work of sessions is in `loader`, `committer` and `atomic`, each the base of the next.
"""

from __future__ import annotations

from .all_sessions import LivePage
from .manager import SessionManager, manager_for
from .principal_sessions import LiveSession
from .rejected_ids import OnSuspicious, RejectedId
from .store_factory import StoreOrClient, with_store

__all__ = [
    "LivePage",
    "LiveSession",
    "OnSuspicious",
    "SessionManager",
    "StoreOrClient",
    "RejectedId",
    "manager_for",
    "with_store",
]
