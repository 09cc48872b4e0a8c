"""The settings ``secrets`` and ``pepper``: the requirements on secrets, and their sources (S-78)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, SecretStr

from .types import items, wrong

__all__ = ["MIN_SECRET_BYTES", "KeyRing", "Pepper", "SecretsFile", "read_secrets"]

MIN_SECRET_BYTES: Final = 32
"""The shortest secret: a shorter one could be guessed from a cookie, without a request to a server."""

_MIN_DISTINCT: Final = 8
_EXAMPLES: Final = re.compile(
    "change.?(me|this)|passw[o0]rd|secret|example|default|placeholder|insecure|your.?key", re.IGNORECASE
)
_OTHERS: Final = stat.S_IRWXO | stat.S_IWGRP
"""Permissions that a file of secrets must not have. Its group may read it, as is usual for services."""
_PRIVATE_HINT: Final = "chmod 600; in a container mount the secret with mode 0400 or 0440"
_HINT: Final = "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"


def _secrets_from(value: Any) -> Any:
    """The secrets themselves, where they were given as text, as one secret, or as a function that fetches them."""
    if callable(value):
        value = _fetched(value)
    if isinstance(value, SecretStr):
        return (value,)
    return items(value)


def _fetched(function: Callable[[], Any]) -> Any:
    kind = ""
    try:
        return function()
    except Exception as error:  # noqa: BLE001 - a vault's client may raise anything, and its text may hold anything
        kind = type(error).__name__
    raise wrong(f"the function that fetches them raised {kind}", "call it by itself to see why")


def _check_secrets(ring: Sequence[SecretStr]) -> tuple[SecretStr, ...]:
    """Reject a ring with a secret that is short, well known or repeated. Error texts name its position, never its
    text.
    """
    for place, secret in enumerate(ring):
        _check_secret(secret, f"secret {place + 1}")
        if secret in ring[:place]:
            raise wrong(f"secret {place + 1} stands in the ring twice", "name each secret once")
    return tuple(ring)


def _check_secret(secret: SecretStr, called: str) -> None:
    text = secret.get_secret_value()
    if len(text.encode("utf-8", "surrogatepass")) < MIN_SECRET_BYTES:
        raise wrong(f"{called} is shorter than {MIN_SECRET_BYTES} bytes", _HINT)
    if _EXAMPLES.search(text) or len(set(text)) < _MIN_DISTINCT:
        raise wrong(f"{called} looks like an example, or like a word typed again and again", _HINT)


def _pepper_from(value: Any) -> Any:
    return _fetched(value) if callable(value) else value


def _check_pepper(pepper: SecretStr | None) -> SecretStr | None:
    if pepper is not None:
        _check_secret(pepper, "the pepper")
    return pepper


def read_secrets(path: Path | None) -> tuple[SecretStr, ...]:
    """The secrets in a file, one a line; blank lines are ignored."""
    if path is None:
        return ()
    return tuple(SecretStr(line.strip()) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def _check_secret_file(path: Path | None) -> Path | None:
    """Reject a file that cannot be read, that others can read or change, or that contains no valid secrets."""
    if path is not None:
        ring: tuple[SecretStr, ...] = ()
        is_open, reason = 0, ""
        try:
            is_open = os.name == "posix" and path.stat().st_mode & _OTHERS
            ring = read_secrets(path)
        except (OSError, UnicodeDecodeError) as error:
            reason = str(error.strerror) if isinstance(error, OSError) else "it is no text in UTF-8"
        if reason:
            raise wrong(f"the file cannot be read: {reason}", "give a readable file with one secret a line")
        if is_open:
            raise wrong("the file can be read or changed by all users of this machine", _PRIVATE_HINT)
        if not ring:
            raise wrong("the file holds no secret", _HINT)
        _check_secrets(ring)
    return path


KeyRing = Annotated[tuple[SecretStr, ...], BeforeValidator(_secrets_from), AfterValidator(_check_secrets)]
"""The type of ``secrets``."""

Pepper = Annotated[SecretStr | None, BeforeValidator(_pepper_from), AfterValidator(_check_pepper)]
"""The type of ``pepper``."""

SecretsFile = Annotated[Path | None, AfterValidator(_check_secret_file)]
"""The type of ``secrets_file``."""
