"""All settings: their meaning, their sources and their validation.

`fields` has the settings themselves; `model` and `sources` read them, `checks` finds contradictions, `table` shows them
to people, and `overrides` to editors and type checkers.
"""

from __future__ import annotations

from .cookie import CookieSettings
from .model import SessionSettings
from .overrides import CookieOverrides, SettingOverrides
from .sources import shielded
from .store_url import StoreUrl
from .table import SettingDescription, SettingValue, describe_settings, effective_settings

__all__ = [
    "CookieOverrides",
    "CookieSettings",
    "SessionSettings",
    "SettingDescription",
    "SettingOverrides",
    "SettingValue",
    "StoreUrl",
    "describe_settings",
    "effective_settings",
    "shielded",
]
