"""The stores by the scheme of ``store_url``: those of wsgessions, and those of other packages.

The stores of wsgessions are in a table: a source checkout has them without installation, and no other package can
replace or break them. The metadata of installed packages is read for other schemes only, and only the package of the
wanted one is imported. A package registers a function, a `StoreOpener`, under the scheme of its stores:

```toml
[project.entry-points."wsgessions.stores"]
dynamodb = "my_package:open_store"
```
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from ..errors import ConfigError, WsgessionsError
from ..store.contract import Store

if TYPE_CHECKING:
    from ..settings import SessionSettings

__all__ = ["GROUP", "OWN_SCHEMES", "RESERVED_SCHEMES", "StoreOpener", "StoreSource", "find_source", "other_schemes"]

GROUP: Final = "wsgessions.stores"
"""The entry-point group in which packages register their stores."""

StoreOpener = Callable[["SessionSettings"], Store]
"""Makes the store that ``settings.store_url`` names, not yet started. Called again for each event loop and each forked
process in which the store is used, so data that must outlive those has to be kept elsewhere.

It reads the URL with ``settings.store_url.get_secret_value()``, and if it cannot open the store, it raises a
`ConfigError` that repeats no part of the URL. It separates applications by `namespace` and `context_path`, keeps idle
sessions for `grace_seconds` longer than it serves them, and refuses in production (`env`) a store that forgets or is
spoken to in clear text, unless `allow_eviction`, `allow_volatile` and `allow_clear_text` accept that.
"""

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

_CALLS: Final = tuple(name for name in vars(Store) if not name.startswith("_"))


class StoreSource(NamedTuple):
    """The source of the stores of one scheme."""

    point: EntryPoint
    package: str
    """The distribution that registers it, with its version."""

    @property
    def is_own(self) -> bool:
        """Whether these are stores of wsgessions."""
        return self.point.name in OWN_SCHEMES

    def opener(self) -> StoreOpener:
        """The function that makes such stores; imported now.

        Raises:
            ConfigError: the package cannot be imported, or has no such function.
        """
        try:
            found: Any = self.point.load()
        except Exception as error:  # the import of another package may raise any error
            raise self._broken(f"{type(error).__name__}: {error}") from error
        if not callable(found):
            raise self._broken(f"{self.point.value} is not a function")
        opener = cast("StoreOpener", found)
        return opener if self.is_own else lambda settings: self._open(opener, settings)

    def _open(self, opener: StoreOpener, settings: SessionSettings) -> Store:
        store: Store | None = None
        reason = ""
        try:
            store = opener(settings)
        except WsgessionsError:
            raise
        except Exception as error:  # noqa: BLE001 - its text and its frames may hold the URL and so a password (S-79)
            reason = f"it raised {type(error).__name__}; call {self.point.value} by itself to see why"
        if reason or store is None:
            raise self._broken(reason or f"{self.point.value} opened nothing")
        missing = [name for name in _CALLS if not hasattr(store, name)]
        if missing:
            raise self._broken(f"what it opens is not a store: it lacks {', '.join(missing)}")
        return store

    def _broken(self, reason: str) -> ConfigError:
        return ConfigError(
            f"the stores of {self.point.name}: come from {self.package}, which cannot be used: {reason}",
            setting="store_url",
            hint=f"see to what {self.package} needs, or name another store",
        )


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
