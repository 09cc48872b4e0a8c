"""The schemes of ``store_url``, and the packages that have their stores. No such package is imported here.

The schemes of wsgessions are in a table: a source checkout has them without installation, and no other package can
take them. Those of other packages are read from the metadata of the installed ones, where a package registers a
function, a `wsgessions.stores.registry.StoreOpener`, under the scheme of its stores:

```toml
[project.entry-points."wsgessions.stores"]
dynamodb = "my_package:open_store"
```
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Final, NamedTuple

from ..errors import ConfigError

__all__ = ["GROUP", "OWN_SCHEMES", "RESERVED_SCHEMES", "StoreSource", "find_source", "other_schemes"]

GROUP: Final = "wsgessions.stores"
"""The entry-point group in which packages register their stores."""

_OPENERS: Final = {
    "memory": "openers:open_memory",
    "aiocache": "openers:open_aiocache",
    "embedded": "server_stores:open_embedded",
    "valkey": "server_stores:open_servers",
    "valkeys": "server_stores:open_servers",
    "redis": "server_stores:open_servers",
    "rediss": "server_stores:open_servers",
    "unix": "server_stores:open_servers",
}
OWN_SCHEMES: Final = frozenset(_OPENERS)
RESERVED_SCHEMES: Final = frozenset({"sentinel", "cluster"})
"""The schemes of later releases. Other packages cannot register them, nor ours."""


class StoreSource(NamedTuple):
    """The source of the stores of one scheme."""

    point: EntryPoint
    package: str
    """The distribution that registers it, with its version."""

    @property
    def is_own(self) -> bool:
        """Whether these are stores of wsgessions."""
        return self.point.name in OWN_SCHEMES


def find_source(scheme: str) -> StoreSource | None:
    """The source of the stores of a scheme; None if there is none.

    Raises:
        ConfigError: several packages have registered the scheme.
    """
    if scheme in OWN_SCHEMES:
        return StoreSource(EntryPoint(scheme, f"{__package__}.{_OPENERS[scheme]}", GROUP), "wsgessions")
    found = _registered().get(scheme, [])
    if len(found) > 1:
        packages = " and ".join(source.package for source in found)
        raise ConfigError(
            f"{scheme}: is a scheme of several packages: {packages}", setting="store_url", hint="uninstall all but one"
        )
    return found[0] if found else None


def other_schemes() -> list[str]:
    """The schemes of other installed packages, without broken ones."""
    return sorted(_registered())


def _registered() -> Mapping[str, list[StoreSource]]:
    """The registered sources by scheme. No package is imported."""
    found: dict[str, list[StoreSource]] = {}
    for point in entry_points(group=GROUP):
        scheme = point.name.lower()  # schemes of URLs are case-insensitive
        if scheme not in OWN_SCHEMES | RESERVED_SCHEMES:
            source = StoreSource(EntryPoint(scheme, point.value, point.group), _package_of(point))
            found.setdefault(scheme, []).append(source)
    return found


def _package_of(point: EntryPoint) -> str:
    """Its name and version. The remains of a package that is uninstalled by half may lack the file that has them."""
    name = "" if point.dist is None else point.dist.name
    return f"{name} {point.dist.version}" if point.dist is not None and name else f"the package of {point.value}"
