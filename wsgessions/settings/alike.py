"""The settings that all processes of one application need alike, as texts for the comparison in the store.

Processes with different `required` settings do not find each other's sessions, so the later one does not start (C-25).
With different `compared` ones each process works, but promises depend on the server that a request reaches; a
restart of one server after the other may change them, so that is a warning (C-27).
"""

from __future__ import annotations

import hmac
from typing import Final

from pydantic import SecretStr

from ..store.alike import KEY_RING
from .model import SessionSettings
from .table import effective_settings

__all__ = ["compared", "required"]

_COMPARED: Final = frozenset(
    {
        "env",
        "max_inactive_interval",
        "absolute_timeout",
        "renew_interval",
        "renew_grace",
        "lease",
        "touch_interval",
        "touch_step",
        "invalidate_barrier",
        "hop_check",
        "header",
        "cookie.name",
        "cookie.path",
        "cookie.domain",
        "cookie.secure",
        "cookie.httponly",
        "cookie.samesite",
        "cookie.partitioned",
        "cookie.max_age",
    }
)
_OF_STORE: Final = "kept-by-the-store"
"""In place of the fingerprints of keys: the key that the store keeps (C-11)."""


def required(settings: SessionSettings) -> dict[str, str]:
    """The values without which the sessions of other processes are not found, by the names of the settings."""
    pepper = "none" if settings.pepper is None else _fingerprint(settings.pepper)
    return {"id_length": str(settings.id_length), "pepper": pepper}


def compared(settings: SessionSettings) -> dict[str, str]:
    """The values to compare, by the names of the settings; secrets as fingerprints."""
    values = {each.name: each.value for each in effective_settings(settings) if each.name in _COMPARED}
    if settings.plain_http_cookie is not None:
        values["cookie.secure"] = "chosen-by-the-request"
    return values | {KEY_RING: " ".join(map(_fingerprint, settings.secrets)) or _OF_STORE}


def _fingerprint(secret: SecretStr) -> str:
    """Tells two secrets apart, and nothing of them."""
    key = secret.get_secret_value().encode("utf-8", "surrogatepass")
    return f"fingerprint-{hmac.digest(key, b'wsgessions fingerprint', 'sha256')[:8].hex()}"
