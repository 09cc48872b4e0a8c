"""The sources of settings: the constructor, the environment and the files of the working directory.

Each source returns canonical names, with unchanged values and their origins; `wsgessions.settings` lets
pydantic-settings merge them. Within one source a setting has one value, under any of its names (R-07).
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from ..errors import ConfigError
from .names import GUIDE_NAMES, nested_model, setting_names
from .problems import combined

__all__ = [
    "CONSTRUCTOR",
    "ENV_PREFIX",
    "EnvironmentSource",
    "FileSource",
    "Sourced",
    "from_constructor",
    "is_sourced",
    "merged",
    "shielded",
    "unwrapped",
]

CONSTRUCTOR: Final = "constructor"
ENV_PREFIX: Final = "WSGESSIONS_"
OWN_FILE: Final = "wsgessions.toml"
PROJECT_FILE: Final = "pyproject.toml"
PROJECT_TABLE: Final = "pyproject.toml [tool.wsgessions]"
_NEARLY: Final = 0.9
"""The similarity from which on a name is taken for a misspelt one: two letters swapped, one left out or doubled."""

# Variables that Kubernetes and Docker set for a service named "wsgessions" or "wsgessions-store".
_SERVICE_LINK: Final = re.compile(
    r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_PORT: Final = re.compile(r"(\w+_)?PORT")
_SERVICE_URL: Final = re.compile(r"(tcp|udp|sctp)://")


@dataclass(frozen=True, slots=True)
class Sourced:
    """A value between its source and its field. Never shows the value, which may be a secret (S-79)."""

    value: Any
    origin: str

    def __repr__(self) -> str:
        return f"<from {self.origin}>"


class _Entry(NamedTuple):
    """One setting in a source."""

    path: tuple[str, ...]
    """Its name, after those of the tables that contain it."""
    sourced: Sourced


def shielded(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the constructor, each value hidden, those of tables one by one."""
    return {name: _shielded(model, name, value) for name, value in given.items()}


def _shielded(model: type[BaseModel], name: str, value: Any) -> Any:
    inner = nested_model(model, name) if name in model.model_fields else None
    if inner is not None and isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in value.model_fields_set}
    if inner is not None and isinstance(value, Mapping):
        return shielded(inner, value)
    return value if isinstance(value, Sourced) else Sourced(value, CONSTRUCTOR)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merges two sets of sourced values, those of tables setting by setting."""
    result = {**below, **above}
    for name in below.keys() & above.keys():
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping):
            result[name] = {**below[name], **above[name]}
    return result


def from_constructor(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """The source "constructor". Values that have an origin already keep it."""
    return _gathered(model, _table_entries(model, given, CONSTRUCTOR), folded=False)


class _Source(PydanticBaseSettingsSource):
    """A source that returns all its settings at once."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self().get(field_name), field_name, False


class EnvironmentSource(_Source):
    """Variables that begin with ``WSGESSIONS_``, in any case; ``__`` separates the name of a table, blank means unset
    (R-08).
    """

    def __call__(self) -> dict[str, Any]:
        refuse_misspelt(self.settings_cls, os.environ)
        return _gathered(self.settings_cls, _environment_entries(os.environ), folded=True)


class FileSource(_Source):
    """``wsgessions.toml`` and the table ``[tool.wsgessions]`` of ``pyproject.toml``, both of the working directory."""

    def __call__(self) -> dict[str, Any]:
        entries = [
            *_table_entries(self.settings_cls, _read_toml(OWN_FILE), OWN_FILE),
            *_table_entries(self.settings_cls, _read_toml(PROJECT_FILE, "tool", "wsgessions"), PROJECT_TABLE),
        ]
        return _gathered(self.settings_cls, entries, folded=False)


def is_sourced(data: Mapping[str, Any]) -> bool:
    """Whether all values have come through a source."""
    return all(isinstance(value, Sourced) or (isinstance(value, dict) and is_sourced(value)) for value in data.values())


def unwrapped(data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Separate values and origins: values in the form of the fields, origins by dotted name."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, entry in data.items():
        if isinstance(entry, Sourced):
            values[name], origins[name] = entry.value, entry.origin
        else:
            values[name], inner = unwrapped(entry)
            origins |= {f"{name}.{key}": origin for key, origin in inner.items()}
    return values, origins


def refuse_misspelt(model: type[BaseModel], environment: Mapping[str, str]) -> None:
    """Refuse variables whose prefix is nearly ours, with the name of a setting behind it: they would be without effect.

    Raises:
        ConfigError: there is one.
    """
    known = {name.replace(".", "__").upper() for name in setting_names(model)}
    right = ENV_PREFIX.rstrip("_")
    for variable in environment:
        prefix, _, name = variable.upper().partition("_")
        if prefix != right and name.lstrip("_") in known and _is_like(prefix, right):
            raise ConfigError(
                f"there is no such variable; the prefix is {ENV_PREFIX}",
                setting=name.lstrip("_").lower().replace("__", "."),
                origin=f"environment {variable}",
                hint=f"write {ENV_PREFIX}{name.lstrip('_')}",
            )


def _is_like(word: str, right: str) -> bool:
    return difflib.SequenceMatcher(None, word, right).ratio() >= _NEARLY


def _environment_entries(environment: Mapping[str, str]) -> Iterator[_Entry]:
    for variable, value in environment.items():
        name = variable.upper()
        if name.startswith(ENV_PREFIX) and value.strip() and not _is_foreign(name.removeprefix(ENV_PREFIX), value):
            path = tuple(name.removeprefix(ENV_PREFIX).lower().split("__"))
            yield _Entry(path, Sourced(value.strip(), f"environment {variable}"))


def _is_foreign(name: str, value: str) -> bool:
    if _SERVICE_LINK.fullmatch(name):
        return True
    return bool(_SERVICE_PORT.fullmatch(name) and _SERVICE_URL.match(value))


def _table_entries(model: type[BaseModel], table: Mapping[str, Any], origin: str) -> Iterator[_Entry]:
    for key, value in table.items():
        inner = nested_model(model, key) if key in model.model_fields else None
        if inner is not None and isinstance(value, Mapping):
            for entry in _table_entries(inner, value, origin):
                yield _Entry((key, *entry.path), entry.sourced)
        else:
            yield _Entry((key,), value if isinstance(value, Sourced) else Sourced(value, origin))


def _read_toml(name: str, *tables: str) -> Mapping[str, Any]:
    """A file's content, or that of one of its tables; empty if there is no such file or table."""
    content: Any = None
    reason = ""
    try:
        content = _parsed(Path(name).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        reason = str(error.strerror) if isinstance(error, OSError) else str(error)
    if reason:
        raise ConfigError(
            f"the file cannot be read: {reason}", setting=name, hint="the working directory's file is meant"
        )
    for table in tables:
        _refuse_misspelt_table(content, table, name)
        content = content.get(table, {}) if isinstance(content, Mapping) else None
    if not isinstance(content, Mapping):
        raise ConfigError("expected a table", setting=".".join(tables), origin=name, hint=f"write [{'.'.join(tables)}]")
    return content


def _refuse_misspelt_table(content: Any, table: str, file: str) -> None:
    tables: dict[str, Any] = content if isinstance(content, dict) and table == "wsgessions" else {}
    for other in tables:
        if other != table and _is_like(other.lower(), table):
            raise ConfigError(
                f"there is no such table; its name is {table}", setting=other, origin=file, hint=f"write [tool.{table}]"
            )


@lru_cache(maxsize=4)
def _parsed(content: bytes) -> dict[str, Any]:
    """A file's tables; must not be changed. They are cached, because parsing takes milliseconds."""
    return tomllib.loads(content.decode())


def _gathered(model: type[BaseModel], entries: Iterable[_Entry], *, folded: bool) -> dict[str, Any]:
    """Entries by canonical names, nested as the model is.

    Args:
        model: the settings.
        entries: the entries of the source.
        folded: whether names have lost their case and their hyphens, as in the environment.
    """
    result: dict[str, Any] = {}
    taken: dict[tuple[str, ...], _Entry] = {}
    problems: list[ConfigError] = []
    for entry in entries:
        path, sourced = _resolved(entry, folded=folded)
        problem = _name_problem(model, path, entry)
        if problem is None and path in taken:
            problem = _twice(path, taken[path], entry)
        if problem is not None:
            problems.append(problem)
            continue
        taken[path] = entry
        table = result
        for part in path[:-1]:
            table = table.setdefault(part, {})
        table[path[-1]] = sourced
    if problems:
        raise combined(problems)
    return result


def _resolved(entry: _Entry, *, folded: bool) -> tuple[tuple[str, ...], Sourced]:
    names = _FOLDED_GUIDE_NAMES if folded else GUIDE_NAMES
    guide = names.get(entry.path[0]) if len(entry.path) == 1 else None
    if guide is None:
        return entry.path, entry.sourced
    return (guide.setting,), Sourced(guide.convert(entry.sourced.value), entry.sourced.origin)


_FOLDED_GUIDE_NAMES: Final = {name.replace("-", "_").lower(): guide for name, guide in GUIDE_NAMES.items()}


def _name_problem(model: type[BaseModel], path: tuple[str, ...], entry: _Entry) -> ConfigError | None:
    known = setting_names(model)
    name = ".".join(map(str, path))
    if name in known:
        return None
    if any(each.startswith(f"{name}.") for each in known):
        hint = f"give its settings one by one, such as {next(each for each in known if each.startswith(name))}"
        return ConfigError(
            "it is a table of settings, not a value", setting=name, origin=entry.sourced.origin, hint=hint
        )
    names = [*known, *GUIDE_NAMES]
    near = [name.lower()] if name.lower() in names else difflib.get_close_matches(name, names, n=3)
    meant = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    hint = f"{meant}the reference of settings lists all names"
    return ConfigError("there is no such setting", setting=name, origin=entry.sourced.origin, hint=hint)


def _twice(path: tuple[str, ...], first: _Entry, second: _Entry) -> ConfigError:
    origin = second.sourced.origin
    where = f"also as {'.'.join(first.path)!r}" if first.path != second.path else f"also in {first.sourced.origin}"
    return ConfigError(f"it is given twice, {where}", setting=".".join(path), origin=origin, hint="keep one of them")
