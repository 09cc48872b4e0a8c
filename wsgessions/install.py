"""``install(app)``: the adapter for an application, chosen by the settings or by the class of the application.

The guide chooses the filter class for its container in the same way. Adapters are found through the entry-point group
`GROUP`, so that other packages can bring their own, and only the chosen one is imported.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, TypeVar, Unpack

from .adapter import Adapter
from .errors import ConfigError
from .framework_versions import check_framework
from .manager import StoreOrClient, with_store
from .middleware import SessionMiddleware
from .settings import SessionSettings, SettingOverrides, shielded
from .web import ASGIApp

__all__ = ["GROUP", "install", "load_adapter", "registered"]

AppT = TypeVar("AppT", bound=ASGIApp)

GROUP: Final = "wsgessions.adapters"
"""The entry-point group in which adapters are registered, each under the import name of its framework."""
AUTO: Final = "auto"


def install(
    app: AppT,
    *,
    settings: SessionSettings | None = None,
    store: StoreOrClient | None = None,
    **overrides: Unpack[SettingOverrides],
) -> AppT:
    """Install sessions in an application, by the adapter that ``settings.adapter`` names.

    Args:
        app: the application. With the default ``adapter = "auto"`` its class determines the framework; an application
            without an adapter for its framework is wrapped in a `SessionMiddleware`.
        settings: the settings; by default those of the environment and the files.
        store: a store to use, or the connection of a client that there is already: see `wsgessions.from_redis`.
        overrides: single settings by name: ``install(app, adapter="fastapi", store_url="valkey://localhost")``.

    Returns:
        The application to serve: the same object, or its wrapper.

    Raises:
        ConfigError: a setting is wrong; the adapter is unknown, does not fit the application, or lacks its framework.
    """
    given = shielded(SessionSettings, overrides)
    del overrides  # before anything can fail: no frame shows a secret (S-79)
    given, ready_made = with_store(given, store)
    chosen = SessionSettings.load(settings, given) if given or settings is None else settings
    adapter = _choose(app, chosen.adapter)
    if adapter is not None:
        check_framework(adapter)
        made = adapter(chosen) if ready_made is None else adapter(chosen, store=ready_made)
        return made.install(app)  # type: ignore[no-any-return]  # an adapter returns what takes the app's place
    _check_asgi(app)
    return SessionMiddleware(app, settings=chosen, store=ready_made)  # type: ignore[return-value]  # the same callable, one layer more


def registered() -> dict[str, EntryPoint]:
    """The adapters that are registered, by name; none of them is imported."""
    return {point.name: point for point in entry_points(group=GROUP)}


def _choose(app: object, wanted: str) -> type[Adapter] | None:
    registry = registered()
    if wanted == AUTO:
        return _by_class(app, registry)
    adapter = _by_name(wanted, registry)
    if not adapter.fits(app):
        raise ConfigError(
            f"{wanted!r} does not fit an application of class {type(app).__module__}.{type(app).__qualname__}",
            setting="adapter",
            hint=f"valid: {_listed(registry)}",
        )
    return adapter


def _by_class(app: object, registry: Mapping[str, EntryPoint]) -> type[Adapter] | None:
    """The adapter of the nearest base class with one for its framework; FastAPI comes before Starlette, its base."""
    for ancestor in type(app).__mro__:
        point = registry.get(ancestor.__module__.partition(".")[0])
        if point is not None and (adapter := load_adapter(point)).fits(app):
            return adapter
    return None


def _by_name(wanted: str, registry: Mapping[str, EntryPoint]) -> type[Adapter]:
    if ":" in wanted:
        return _import(wanted)
    point = registry.get(wanted) or next((point for point in registry.values() if point.attr == wanted), None)
    if point is None:
        raise _unknown(wanted, registry)
    return load_adapter(point)


def load_adapter(point: EntryPoint) -> type[Adapter]:
    """Import a registered adapter.

    Raises:
        ConfigError: it cannot be imported, mostly for want of its framework, or is no adapter; the hint is the remedy.
    """
    try:
        return _checked(point.load(), point.value)
    except ImportError as error:
        ours = point.dist is not None and point.dist.name == "wsgessions"
        remedy = f'pip install "wsgessions[{point.name}]"' if ours else f"install what {point.module} needs"
        raise ConfigError(f"{point.name!r} cannot be imported: {error}", setting="adapter", hint=remedy) from error


def _import(path: str) -> type[Adapter]:
    module_name, _, name = path.partition(":")
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise ConfigError(f"{module_name!r} cannot be imported: {error}", setting="adapter") from error
    if not hasattr(module, name):
        raise ConfigError(
            f"module {module_name!r} has no {name!r}", setting="adapter", hint=_nearest(name, vars(module))
        )
    return _checked(getattr(module, name), path)


def _checked(found: Any, path: str) -> type[Adapter]:
    if not (isinstance(found, type) and hasattr(found, "fits") and hasattr(found, "install")):
        raise ConfigError(
            f"{path!r} is not the class of an adapter", setting="adapter", hint="see wsgessions.adapter.Adapter"
        )
    return found


def _unknown(wanted: str, registry: Mapping[str, EntryPoint]) -> ConfigError:
    nearest = _nearest(wanted, [AUTO, *registry, *(point.attr for point in registry.values())])
    valid = f"valid: {_listed(registry)}"
    return ConfigError(
        f"no adapter is called {wanted!r}", setting="adapter", hint=f"{nearest}; {valid}" if nearest else valid
    )


def _listed(registry: Mapping[str, EntryPoint]) -> str:
    """Every name that can be given: the registered ones, each with its class, and the two that need no registration."""
    names = [f"{name} or {point.attr}" for name, point in sorted(registry.items())]
    return ", ".join([AUTO, *names, "package.module:Class"])


def _nearest(wanted: str, known: Iterable[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(wanted.lower(), by_lower, n=1)
    return f"did you mean {by_lower[close[0]]!r}?" if close else ""


def _check_asgi(app: object) -> None:
    """An application of ASGI takes scope, receive and send; one of WSGI takes two, and would fail at every request."""
    try:
        inspect.signature(app).bind(None, None, None)  # type: ignore[arg-type]  # an app of any kind may be given
    except TypeError as error:
        raise ConfigError(
            f"an object of class {type(app).__module__}.{type(app).__qualname__} is not an ASGI application",
            setting="adapter",
            hint="give the application itself",
        ) from error
    except ValueError:
        return  # a callable without a signature, such as one written in C
