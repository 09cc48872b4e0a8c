"""The session settings that both servers share; the store comes from the supervisor, as ``WSGESSIONS_STORE_URL``."""

from __future__ import annotations

from typing import Final

from wsgessions import SessionSettings

__all__ = ["SETTINGS"]

SETTINGS: Final = SessionSettings(
    context_path="/Cart",
    max_inactive_interval="30m",  # said for all frameworks, whose own defaults differ
    absolute_timeout="24h",
    cookie={"insecure": True},  # plain http, which the sample uses on this machine only
    exclude=["/Cart/static"],
)
