"""For tests of applications, stores and adapters: fixtures, conformance suites, and a proxy for fault injection.

The fixtures are registered automatically, see `wsgessions.testing.fixtures.pytest_plugin`; the classes here are their
types. Modules that need pytest or httpx2 are loaded at their first use.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .adapters.suite import AdapterSuite
    from .faults.proxies import FaultProxy
    from .fixtures.cluster import Cluster, Clusters
    from .fixtures.frozen_time import FreezeSessions, FrozenTime
    from .fixtures.session_access import SessionOf
    from .fixtures.session_client import SessionClient, SessionClients
    from .fixtures.store_of_test import ServerOfTests, StoreOfTest
    from .stores.suite import StoreSuite

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

_LAZY_EXPORTS: Final = {
    "AdapterSuite": "adapters.suite",
    "Cluster": "fixtures.cluster",
    "Clusters": "fixtures.cluster",
    "FaultProxy": "faults.proxies",
    "FreezeSessions": "fixtures.frozen_time",
    "FrozenTime": "fixtures.frozen_time",
    "ServerOfTests": "fixtures.store_of_test",
    "SessionClient": "fixtures.session_client",
    "SessionClients": "fixtures.session_client",
    "SessionOf": "fixtures.session_access",
    "StoreOfTest": "fixtures.store_of_test",
    "StoreSuite": "stores.suite",
}

with suppress(ModuleNotFoundError):
    import pytest

    # Otherwise a failed assertion of a suite would not show its values: pytest rewrites those of test files only.
    pytest.register_assert_rewrite(*(f"{__name__}.{room}" for room in ("adapters", "faults", "fixtures", "stores")))


def __getattr__(name: str) -> object:
    if name not in _LAZY_EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_LAZY_EXPORTS[name]}", __name__), name)
    globals()[name] = value
    return value
