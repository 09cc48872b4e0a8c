"""Converts the findings of pydantic and our checks to one `ConfigError` that names every setting and its origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ..errors import ConfigError

__all__ = ["combined", "config_errors"]


def config_errors(error: ValidationError, origins: Mapping[str, str]) -> list[ConfigError]:
    """One error for each field that pydantic rejected. The value is not repeated: it may be a secret (S-79)."""
    details = error.errors(include_url=False, include_input=False)
    # A default that depends on other settings is not made when one of those is wrong, which is no finding of its own.
    return [_config_error(detail, origins) for detail in details if detail["type"] != "default_factory_not_called"]


def _config_error(detail: Any, origins: Mapping[str, str]) -> ConfigError:
    name = ".".join(part for part in detail["loc"] if isinstance(part, str) and part.isidentifier())
    hint = detail.get("ctx", {}).get("hint", "")
    return ConfigError(_sentence(detail["msg"]), setting=name, origin=origins.get(name, "default"), hint=hint)


def _sentence(message: str) -> str:
    return message[:1].lower() + message[1:]


def combined(problems: Sequence[ConfigError]) -> ConfigError:
    """One error that contains all of them."""
    first, *others = problems
    if not others:
        return first
    message = str(first.args[0]).partition(": ")[2] + (f" ({first.hint})" if first.hint else "")
    lines = [message, *map(str, others)]
    return ConfigError("\n".join(lines), setting=first.setting, origin=first.origin)
