"""Contradictions between valid settings, and settings that ``env = "production"`` rejects (R-07, S-26, S-27)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from .assurance import ASSURANCE_LIMITS
from .fields import SettingFields
from .store_url import is_unverified, leaves_in_clear_text
from .units import show_duration

__all__ = ["Contradiction", "contradictions"]

_HEARTBEATS_PER_LEASE = 3
_LONGEST_NONSTOP = timedelta(minutes=10)
_LONGEST_TOUCH_STEP = timedelta(seconds=60)
_TOUCH_STEPS_PER_IDLE_TIME = 20


class Contradiction(NamedTuple):
    """One finding; it names the setting that is most likely wrong."""

    setting: str
    message: str
    hint: str


def contradictions(settings: SettingFields) -> Iterator[Contradiction]:
    """All findings, in the order of the settings."""
    yield from _between_times(settings)
    yield from _beyond_assurance(settings)
    if settings.secrets and settings.secrets_file is not None and "secrets" in settings.model_fields_set:
        yield Contradiction("secrets_file", "secrets are given too", "keep either secrets or secrets_file")
    if settings.allow_eviction and not settings.concurrency and _has_segments(settings):
        message = "the store may evict the number of segments too, and then nodes would disagree on it"
        yield Contradiction("allow_eviction", message, "set concurrency, for instance to 64, on every node (C-18)")
    if settings.env == "production":
        yield from _stores_unfit_for_production(settings)
        yield from _cookies_unfit_for_production(settings)


def _has_segments(settings: SettingFields) -> bool:
    """Whether nodes agree on the setting ``concurrency`` in the store."""
    return settings.store_url.scheme == "embedded" or bool(settings.store_url.servers())


def _between_times(settings: SettingFields) -> Iterator[Contradiction]:
    idle = settings.max_inactive_interval
    if idle > settings.absolute_timeout:
        yield Contradiction(
            "max_inactive_interval", "it is longer than absolute_timeout", "no session outlives absolute_timeout"
        )
    if idle and settings.touch_interval > idle:
        yield Contradiction(
            "touch_interval", "it is longer than max_inactive_interval", "sessions in use would end; shorten it"
        )
    if settings.nonstop_timeout is not None and settings.nonstop_timeout > _LONGEST_NONSTOP:
        hint = "a number without a unit is seconds: write 2000ms for 2 s; -1 waits for ever"
        yield Contradiction("nonstop_timeout", "it is longer than 10 min", hint)
    if settings.renew_interval is not None and settings.renew_interval <= settings.renew_grace:
        yield Contradiction(
            "renew_interval", "it is not longer than renew_grace", "an id must outlive the grace of the one before"
        )
    yield from _of_touch_step(settings)
    if settings.lease and settings.lease < _HEARTBEATS_PER_LEASE * settings.heartbeat:
        yield Contradiction(
            "lease", "it is shorter than three times heartbeat", "one lost heartbeat must not end it (C-4)"
        )
    max_age = settings.cookie.max_age
    if max_age is not None and timedelta(seconds=max_age) > settings.absolute_timeout:
        yield Contradiction(
            "cookie.max_age", "it is longer than absolute_timeout", "the cookie would outlive every session (S-27)"
        )


def _of_touch_step(settings: SettingFields) -> Iterator[Contradiction]:
    idle = settings.max_inactive_interval
    if settings.touch_step > _LONGEST_TOUCH_STEP:
        yield Contradiction("touch_step", "it is longer than 60 s", "idle times would end too late (S-63)")
    elif idle and settings.touch_step > idle / _TOUCH_STEPS_PER_IDLE_TIME:
        hint = f"at most {show_duration(idle / _TOUCH_STEPS_PER_IDLE_TIME)} (S-63)"
        yield Contradiction("touch_step", "it is longer than 5 % of max_inactive_interval", hint)


def _beyond_assurance(settings: SettingFields) -> Iterator[Contradiction]:
    limits = ASSURANCE_LIMITS.get(settings.assurance)
    if limits is None:
        return
    hint = "leave it out, or choose another assurance (S-53)"
    idle = settings.max_inactive_interval
    if limits.idle is not None and (not idle or idle > limits.idle):
        message = f"it is longer than the {show_duration(limits.idle)} of {settings.assurance}"
        yield Contradiction("max_inactive_interval", message, hint)
    if settings.absolute_timeout > limits.absolute:
        message = f"it is longer than the {show_duration(limits.absolute)} of {settings.assurance}"
        yield Contradiction("absolute_timeout", message, hint)


def _stores_unfit_for_production(settings: SettingFields) -> Iterator[Contradiction]:
    if "store_url" not in settings.model_fields_set:
        message = "it is left to its default, an embedded store of this project on this host, and env is production"
        yield Contradiction("store_url", message, "name the store; embedded:/var/lib/... is one")
    if settings.store_url.scheme == "memory":
        yield Contradiction(
            "store_url", "memory: loses all sessions when the process ends, and env is production", "name a real store"
        )
    if is_unverified(settings.store_url):
        message = "the server is not asked to prove its name, and env is production"
        hint = "name the authority: ca=/path, without verify=none; of a client: ssl_ca_certs and ssl_check_hostname"
        yield Contradiction("store_url", message, hint)
    if leaves_in_clear_text(settings.store_url) and not settings.allow_clear_text:
        message = "sessions and password would leave this machine in clear text, and env is production"
        hint = "use valkeys://; where the network itself encrypts, set allow_clear_text"
        yield Contradiction("store_url", message, hint)


def _cookies_unfit_for_production(settings: SettingFields) -> Iterator[Contradiction]:
    if not settings.cookie.secure:
        yield Contradiction("cookie.insecure", "env is production", "serve over TLS, and leave it out")
    if not settings.cookie.httponly:
        yield Contradiction(
            "cookie.httponly", "env is production", "leave it at true: no script needs the session's id"
        )
