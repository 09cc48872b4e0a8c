"""One Lua script: it runs at the server in one step, and is known there by the digest of its text."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from importlib import resources
from typing import Final

__all__ = ["Script"]

_CONSTANTS: Final = re.compile(r"^local ([A-Z_]+(?:, [A-Z_]+)*) = (.+)$", re.MULTILINE)
"""A line that gives names to constants, as many values as names."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script for `Commands.call`. Keys and values reach it as arguments only, never as part of its text (S-89)."""

    name: str
    """The name in error texts."""
    source: str = field(repr=False)
    sha1: str = field(init=False)
    """The server's name for it: 40 hex digits."""
    by_name: bytes = field(init=False, repr=False)
    """The first two words of a call by `sha1`, as they go over the wire, from the end of what is before them."""

    def __post_init__(self) -> None:
        digest = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha1", digest)
        object.__setattr__(self, "by_name", b"\r\n$7\r\nEVALSHA\r\n$40\r\n%b" % digest.encode())

    @classmethod
    def load(cls, name: str, *heads: str) -> Script:
        """Read ``scripts/<name>.lua`` of this package.

        Args:
            name: of the file. Its first line names it a script and says what it does to the store.
            heads: other files, which are inserted after that line.
        """
        shebang, _, body = _text_of(name).partition("\n")
        return cls(name, _with_constants_inserted("".join([shebang, "\n", *map(_text_of, heads), body])))


def _with_constants_inserted(source: str) -> str:
    """Put the values of constants in place of their names, in the same lines.

    The server makes all functions of a script anew with each call, and a function takes longer to make for every local
    variable of the script that it uses. A call of ``commit.lua`` takes a twentieth less without those.
    """
    values: dict[str, str] = {}
    for names, given in _CONSTANTS.findall(source):
        values |= zip(names.split(", "), given.split(", "), strict=True)
    if not values:
        return source
    name = re.compile(rf"\b(?:{'|'.join(values)})\b")
    return name.sub(lambda found: values[found[0]], _CONSTANTS.sub("", source))


def _text_of(name: str) -> str:
    file = resources.files("wsgessions.stores.valkey") / "scripts" / f"{name}.lua"
    return file.read_text(encoding="utf-8")
