"""The settings grouped by purpose, as the documentation and the command line list them."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["GROUPS", "SettingGroup"]


class SettingGroup(NamedTuple):
    """Settings with one purpose."""

    title: str
    purpose: str
    """One sentence for the head of the group."""
    settings: tuple[str, ...]
    """Their names in the order of the documentation; ``cookie`` is the whole table."""


GROUPS: Final = (
    SettingGroup(
        "Essentials",
        "These are the settings of a first deployment.",
        ("env", "store_url", "namespace", "context_path", "adapter"),
    ),
    SettingGroup(
        "Cookie",
        "The defaults are safe; change them for a cookie that outlives the browser, or that several hosts share.",
        ("cookie",),
    ),
    SettingGroup(
        "Lifetimes",
        "These settings say when a session ends, when its id is replaced, and how its use is recorded.",
        (
            *("assurance", "max_inactive_interval", "absolute_timeout", "renew_interval", "renew_grace"),
            *("touch_interval", "touch_step"),
        ),
    ),
    SettingGroup(
        "Store",
        "`store_url` chooses the store; these settings say what it must provide.",
        ("allow_volatile", "allow_eviction", "allow_clear_text", "concurrency", "fsync", "maxmemory"),
    ),
    SettingGroup(
        "Near cache",
        "The near cache holds recently used sessions in the memory of each process.",
        (
            *("max_bytes_on_heap", "max_bytes_off_heap", "lease", "heartbeat", "hop_check", "invalidate_barrier"),
            "tracking_table_max_keys",
        ),
    ),
    SettingGroup(
        "Concurrent requests",
        "These settings decide what happens when requests of one session overlap, or work goes on after a response.",
        ("conflicts", "late_commit"),
    ),
    SettingGroup(
        "Failures",
        "These settings decide what happens when the store or the application fails.",
        ("nonstop_timeout", "start_degraded", "save_on_error"),
    ),
    SettingGroup(
        "Content",
        "These settings limit what a session may hold.",
        ("max_session_bytes", "max_attributes", "strict_values"),
    ),
    SettingGroup(
        "Requests and responses",
        "These settings say which requests have a session, and how its id and its pages are transported.",
        ("exclude", "no_store", "header"),
    ),
    SettingGroup(
        "Security",
        "Without these settings the store keeps one signing key for all processes.",
        ("secrets_file", "secrets", "pepper", "id_length"),
    ),
    SettingGroup(
        "Reserved",
        "These settings have one permitted value in this release, or no effect.",
        (
            *("session_locking", "lock_wait", "synchronous_write", "nonstop_behavior", "rejoin", "anonymous_timeout"),
            "encryption",
        ),
    ),
)
