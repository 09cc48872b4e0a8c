"""The names of settings: ours, and those of the guide that are accepted everywhere in their place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

from pydantic import BaseModel

__all__ = ["GUIDE_NAMES", "GuideName", "guide_names_of", "nested_model", "setting_names"]

_ADDRESSES: Final = re.compile(r"[A-Za-z0-9.\-\[\]:]*:\d+(?:,[A-Za-z0-9.\-\[\]:]*:\d+)*")


def _in_milliseconds(value: Any) -> Any:
    """A bare number under the guide's ``nonStopTimeout`` is in milliseconds; -1 means no limit."""
    number = _whole_number(value)
    return value if number is None or number < 0 else timedelta(milliseconds=number)


def _in_minutes(value: Any) -> Any:
    """A bare number under the servlet's ``session-timeout`` is in minutes; 0 and below mean no timeout."""
    number = _whole_number(value)
    if number is None:
        return value
    return timedelta(minutes=number) if number > 0 else 0


def _as_url(value: Any) -> Any:
    """The guide's ``tcConfigUrl`` names servers as ``host:port``, separated by commas."""
    if isinstance(value, str) and _ADDRESSES.fullmatch(value.strip()):
        return f"valkey://{value.strip()}"
    return value


def _as_it_is(value: Any) -> Any:
    return value


def _whole_number(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,12}\s*", value, re.ASCII):
        return int(value)
    return value if type(value) is int and abs(value) < 10**12 else None


@dataclass(frozen=True, slots=True)
class GuideName:
    """A setting's other name, and the conversion of a value under that name."""

    setting: str
    convert: Callable[[Any], Any] = _as_it_is


GUIDE_NAMES: Final[dict[str, GuideName]] = {
    "filter-class": GuideName("adapter"),
    "filterClass": GuideName("adapter"),
    "tcConfigUrl": GuideName("store_url", _as_url),
    "session-timeout": GuideName("max_inactive_interval", _in_minutes),
    "sessionTimeout": GuideName("max_inactive_interval", _in_minutes),
    "sessionLocking": GuideName("session_locking"),
    "synchronousWrite": GuideName("synchronous_write"),
    "maxBytesOnHeap": GuideName("max_bytes_on_heap"),
    "maxBytesOffHeap": GuideName("max_bytes_off_heap"),
    "nonStopTimeout": GuideName("nonstop_timeout", _in_milliseconds),
}
"""By the guide's spelling. Its ``rejoin`` and ``concurrency`` have the same name here."""


def guide_names_of(setting: str) -> tuple[str, ...]:
    """The other names of a setting, which the guide has for it."""
    return tuple(name for name, guide in GUIDE_NAMES.items() if guide.setting == setting)


def nested_model(model: type[BaseModel], field: str) -> type[BaseModel] | None:
    """The model of a field that is a table of settings; None for others."""
    annotation = model.model_fields[field].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


@cache
def setting_names(model: type[BaseModel]) -> tuple[str, ...]:
    """The names of all settings, dotted for those in a table."""
    names: list[str] = []
    for field in model.model_fields:
        inner = nested_model(model, field)
        names += [field] if inner is None else [f"{field}.{name}" for name in setting_names(inner)]
    return tuple(names)
