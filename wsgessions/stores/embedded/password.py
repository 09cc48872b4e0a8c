"""The password of ``wsgessions server``, kept in the directory for the clients that have it in their settings."""

from __future__ import annotations

import secrets

from ...errors import ConfigError
from .directory import StoreDirectory, disk_trouble
from .endpoint import Secret
from .private_files import read_private, write_private

__all__ = ["kept_password"]

_SHORTEST = 16


def kept_password(directory: StoreDirectory) -> Secret:
    """The password in the directory's file; drawn and written the first time. Removing the file draws a new one.

    Raises:
        ConfigError: the file is open to others, or what it holds is too short.
    """
    content = read_private(directory.password)
    if content is None:
        content = secrets.token_urlsafe(32).encode()
        try:
            write_private(directory.password, content + b"\n")
        except OSError as error:
            raise disk_trouble(error, directory.path) from error
    text = content.decode(errors="replace").strip()
    if len(text) < _SHORTEST:
        hint = "remove it, and a random one is drawn"
        raise ConfigError(
            f"{directory.password} holds less than {_SHORTEST} characters", setting="store_url", hint=hint
        )
    return Secret(text)
