"""The settings of a process as they are recorded for the other processes (C-27)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["pack_settings", "read_settings"]

_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_decode: Final = msgspec.json.Decoder(dict[str, str]).decode


def pack_settings(settings: Mapping[str, str]) -> bytes:
    """The bytes of settings, which are the same for equal settings."""
    return _encode(settings)


def read_settings(packed: bytes) -> Mapping[str, str]:
    """The settings in such bytes; none in bytes that no release has written."""
    try:
        return _decode(packed)
    except msgspec.DecodeError:
        return {}
