"""For tests of what is built on wsgessions, or for it: fixtures, conformance suites, and a proxy that makes faults.

The fixtures come by themselves, see `wsgessions.testing.pytest_plugin`; the classes here are their types. What needs
pytest or httpx2 is loaded where it is first asked for.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .adapter_suite import AdapterSuite
    from .cluster import Cluster, Clusters
    from .faults import FaultProxy
    from .frozen_time import FreezeSessions, FrozenTime
    from .session_access import SessionOf
    from .session_client import SessionClient, SessionClients
    from .store_of_test import ServerOfTests, StoreOfTest
    from .store_suite import StoreSuite

__all__ = [
    "AdapterSuite",
    "Cluster",
    "Clusters",
    "FaultProxy",
    "FreezeSessions",
    "FrozenTime",
    "ServerOfTests",
    "SessionClient",
    "SessionClients",
    "SessionOf",
    "StoreOfTest",
    "StoreSuite",
]

_HOMES: Final = {
    "AdapterSuite": "adapter_suite",
    "Cluster": "cluster",
    "Clusters": "cluster",
    "FaultProxy": "faults",
    "FreezeSessions": "frozen_time",
    "FrozenTime": "frozen_time",
    "ServerOfTests": "store_of_test",
    "SessionClient": "session_client",
    "SessionClients": "session_client",
    "SessionOf": "session_access",
    "StoreOfTest": "store_of_test",
    "StoreSuite": "store_suite",
}

with suppress(ModuleNotFoundError):
    import pytest

    # Else a failed assertion of a suite would not say what it found: pytest explains those of test files only.
    pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
