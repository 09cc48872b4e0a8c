"""Makes wsgessions/settings/overrides.py out of the settings: ``python -m tests.settings.overrides_module``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from wsgessions.settings import CookieSettings, SessionSettings, StoreUrl, overrides
from wsgessions.settings.names import GUIDE_NAMES
from wsgessions.settings.types import Shown

MODULE = Path(overrides.__file__)

HEAD = '''"""What constructors take as ``**overrides``, for editors and type checkers.

Made from the settings by ``python -m tests.settings.overrides_module``; change `wsgessions.settings.fields` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypedDict

from pydantic import SecretStr

from .cookie import CookieSettings
from .store_url import StoreUrl

__all__ = ["CookieOverrides", "SettingOverrides"]

Duration = timedelta | float | str
"""A `timedelta`, a number of seconds, or a text such as ``500ms``, ``30s``, ``5m``, ``12h``."""
Size = int | str
"""A number of bytes, or a text such as ``64K``, ``128M``."""
Paths = Sequence[str] | str
"""Several, or a text that separates them by commas."""
Secret = str | SecretStr
Secrets = Secret | Sequence[Secret]
'''

TYPES: dict[Any, str] = {
    bool: "bool",
    int: "int",
    str: "str",
    timedelta: "Duration",
    StoreUrl: "str | StoreUrl",
    CookieSettings: "CookieOverrides | CookieSettings",
    NoneType: "str",
    Path: "str | Path",
    SecretStr: "Secret | Callable[[], Secret]",
    tuple[str, ...]: "Paths",
    tuple[SecretStr, ...]: "Secrets | Callable[[], Secrets]",
}
"""What a setting of a type may be given as."""


def module() -> str:
    """The module as it should be."""
    cookie = '''class CookieOverrides(TypedDict, total=False):
    """The settings of the session cookie."""
'''
    overrides = '''class SettingOverrides(TypedDict, total=False):
    """Single settings by name, and by the names of the Terracotta guide that are words of Python."""
'''
    members = [*_fields(SessionSettings), *_guide_names()]
    return "\n\n".join([HEAD, f"{cookie}\n{_lines(_fields(CookieSettings))}", f"{overrides}\n{_lines(members)}"])


def _lines(members: Iterable[str]) -> str:
    return "".join(f"{member}\n" for member in members)


def _fields(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield _member(name, type_of(field), field.description or "")


def _guide_names() -> Iterator[str]:
    for name, guide in GUIDE_NAMES.items():
        if name.isidentifier():
            kind = type_of(SessionSettings.model_fields[guide.setting])
            yield _member(name, kind, f"`{guide.setting}`, by the name that the guide has for it.")


def type_of(field: FieldInfo) -> str:
    """The annotation of what a setting may be given as."""
    kind = field.annotation
    parts = get_args(kind) if NoneType in get_args(kind) else (kind,)
    optional = ["None"] if NoneType in parts else []
    if kind is int and any(isinstance(mark, Shown) for mark in field.metadata):
        return "Size"
    if Shown in map(type, field.metadata) and int in parts:
        return "Duration | None"  # of whole seconds, kept as their number
    return " | ".join([_name_of(part) for part in parts if part is not NoneType or parts == (NoneType,)] + optional)


def _name_of(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"Literal[{', '.join(_quoted(value) for value in get_args(kind))}]"
    return TYPES[kind]


def _quoted(value: str) -> str:
    return f'"{value}"'


def _member(name: str, kind: str, meaning: str) -> str:
    text = textwrap.fill(f'"""{meaning}"""', 120, initial_indent=" " * 4, subsequent_indent=" " * 4)
    return f"    {name}: {kind}\n{text}"


if __name__ == "__main__":
    MODULE.write_text(module())
