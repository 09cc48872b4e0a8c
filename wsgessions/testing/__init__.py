"""For tests of what is built on wsgessions, or for it: conformance suites, and a proxy that makes faults.

The suites need pytest, which is why each is loaded where it is first asked for.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .adapter_suite import AdapterSuite
    from .faults import FaultProxy
    from .store_suite import StoreSuite

__all__ = ["AdapterSuite", "FaultProxy", "StoreSuite"]

_HOMES: Final = {"AdapterSuite": "adapter_suite", "FaultProxy": "faults", "StoreSuite": "store_suite"}

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
