"""The function that opens the store of a scheme. Only the package of the wanted scheme is imported.

`wsgessions.stores.schemes` knows which schemes there are, and how a package registers one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from ..errors import ConfigError, WsgessionsError
from ..settings import SessionSettings
from ..store.contract import Store
from .schemes import StoreSource, find_source

__all__ = ["StoreOpener", "find_opener"]

StoreOpener = Callable[[SessionSettings], Store]
"""Makes the store that ``settings.store_url`` names, not yet started. Called again for each event loop and each forked
process in which the store is used, so data that must outlive those has to be kept elsewhere.

It reads the URL with ``settings.store_url.get_secret_value()``, and if it cannot open the store, it raises a
`ConfigError` that repeats no part of the URL. It separates applications by `namespace` and `context_path`, keeps idle
sessions for `grace_seconds` longer than it serves them, and refuses in production (`env`) a store that forgets or is
spoken to in clear text, unless `allow_eviction`, `allow_volatile` and `allow_clear_text` accept that.
"""

_CALLS: Final = tuple(name for name in vars(Store) if not name.startswith("_"))


def find_opener(scheme: str) -> StoreOpener | None:
    """The function that makes the stores of a scheme; None if there is none. Its package is imported now.

    Raises:
        ConfigError: the package cannot be imported, or has no such function, or several packages have the scheme.
    """
    source = find_source(scheme)
    if source is None:
        return None
    try:
        found: Any = source.point.load()
    except Exception as error:  # the import of another package may raise any error
        raise _broken(source, f"{type(error).__name__}: {error}") from error
    if not callable(found):
        raise _broken(source, f"{source.point.value} is not a function")
    opener = cast("StoreOpener", found)
    return opener if source.is_own else lambda settings: _open(source, opener, settings)


def _open(source: StoreSource, opener: StoreOpener, settings: SessionSettings) -> Store:
    store: Store | None = None
    reason = ""
    try:
        store = opener(settings)
    except WsgessionsError:
        raise
    except Exception as error:  # noqa: BLE001 - its text and its frames may hold the URL and so a password (S-79)
        reason = f"it raised {type(error).__name__}; call {source.point.value} by itself to see why"
    if reason or store is None:
        raise _broken(source, reason or f"{source.point.value} opened nothing")
    missing = [name for name in _CALLS if not hasattr(store, name)]
    if missing:
        raise _broken(source, f"what it opens is not a store: it lacks {', '.join(missing)}")
    return store


def _broken(source: StoreSource, reason: str) -> ConfigError:
    return ConfigError(
        f"the stores of {source.point.name}: come from {source.package}, which cannot be used: {reason}",
        setting="store_url",
        hint=f"see to what {source.package} needs, or name another store",
    )
