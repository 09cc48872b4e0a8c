"""Settings as people read them: the table of the documentation, and the present values with their origins (S-111)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from .groups import GROUPS
from .model import SessionSettings
from .names import nested_model
from .types import Shown
from .units import show_duration

__all__ = ["SettingDescription", "SettingValue", "describe_settings", "effective_settings"]

_UNSET = {
    "anonymous_timeout": "off",
    "header": "off",
    "nonstop_timeout": "-1",
    "renew_interval": "off",
    "cookie.domain": "the host",
    "cookie.max_age": "until the browser is closed",
}
"""What the absence of a value means, where "none" would not say it."""


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One setting, as documented."""

    name: str
    """Dotted inside a table: ``cookie.name``."""
    group: str
    """The title of its group in `wsgessions.settings.groups`."""
    default: str
    meaning: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "WSGESSIONS_" + self.name.upper().replace(".", "__")


@dataclass(frozen=True, slots=True)
class SettingValue:
    """One setting, as it is in force. Secrets are masked (S-79)."""

    name: str
    value: str
    origin: str


def describe_settings() -> tuple[SettingDescription, ...]:
    """All settings by group. Defaults are those of the code, whatever the environment says."""
    return tuple(
        SettingDescription(name, group, _shown(name, field, _default(field)), field.description or "")
        for group, name, field in _fields()
    )


def effective_settings(settings: SessionSettings) -> tuple[SettingValue, ...]:
    """All settings with their values, fit for showing, and where those came from."""
    return tuple(
        SettingValue(name, _shown(name, field, _value(settings, name)), settings.origin(name))
        for _, name, field in _fields()
    )


def _fields() -> Iterator[tuple[str, str, FieldInfo]]:
    """All settings in the order of their groups: title of the group, dotted name, field."""
    for group in GROUPS:
        for name in group.settings:
            table = nested_model(SessionSettings, name)
            if table is None:
                yield group.title, name, SessionSettings.model_fields[name]
            else:
                yield from ((group.title, f"{name}.{each}", field) for each, field in table.model_fields.items())


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _value(settings: SessionSettings, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _shown(name: str, field: FieldInfo, value: Any) -> str:
    if value is None:
        return _UNSET.get(name, "none")
    for mark in field.metadata:
        if isinstance(mark, Shown):
            return mark.text(value)
    if isinstance(value, timedelta):
        return show_duration(value) if value else "0"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, SecretStr):
        return _shown_item(value)
    if isinstance(value, tuple):
        return ", ".join(_shown_item(item) for item in value) or "none"
    return value.as_posix() if isinstance(value, Path) else str(value)


def _shown_item(item: Any) -> str:
    return "***" if isinstance(item, SecretStr) else str(item)
