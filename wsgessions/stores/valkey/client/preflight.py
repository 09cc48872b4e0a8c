"""Checks whether a server may keep sessions, on every fresh connection, before any other command is sent over it."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ....errors import ConfigError, StoreUnavailable
from ....internal.log_throttle import LogThrottle
from ....store.contract import NEVER
from ....store.durability import KEEPS_ALL, check_durability, check_eviction
from ..format.segments import DEFAULT_CONCURRENCY
from .commands import Commands, Requests
from .versions import MINIMUM, Standing, standing, warn_once

__all__ = ["agree_on_concurrency", "agree_on_secret", "check_agreed", "check_server"]

_logger = logging.getLogger("wsgessions.valkey")
_log = LogThrottle(_logger)


async def check_server(commands: Commands, *, allow_eviction: bool = False, durable: bool | None = None) -> bytes:
    """Check role, release and memory policy.

    Args:
        commands: the server.
        allow_eviction: accept a server that evicts sessions when memory is short, with a warning.
        durable: whether the server must keep an append-only file, see `check_durability`.

    Returns:
        Its replication id: the name of its timeline (fact 16).

    Raises:
        StoreUnavailable: it is a replica; after a failover that passes when the address leads to the primary again.
        ConfigError: it is not allowed (S-88, C-18).
    """
    info = _parse_info(await commands.request(b"INFO", b"server", b"memory", b"replication", b"persistence"))
    if info.get("role") != "master":
        raise StoreUnavailable("the server is a replica", hint="name the primary in store_url")
    _check_release(info)
    policy, hint = info.get("maxmemory_policy", KEEPS_ALL), f"set the server's maxmemory-policy to {KEEPS_ALL}"
    check_eviction(policy, allowed=allow_eviction, called="the store", hint=hint, throttle=_log)
    check_durability(info.get("aof_enabled") == "1", demanded=durable, log=_logger)
    return info.get("master_replid", "").encode()


async def agree_on_concurrency(commands: Commands, config_key: str, wanted: int, *, proposal: int = 0) -> int:
    """The number of segments of the sessions in this store, recorded by the first node (E-1).

    Args:
        commands: the server.
        config_key: the hash that records it.
        wanted: the setting; 0 accepts the recorded number.
        proposal: the number to record if the setting is 0 and none is recorded; 0 for the default.

    Raises:
        ConfigError: another number is recorded: most sessions would be looked for in the wrong place.
    """
    found = await commands.request(b"HGET", config_key, b"concurrency")
    if found is None:  # a store that is out of memory may still be read, and takes no HSETNX (F-09)
        await commands.request(b"HSETNX", config_key, b"concurrency", wanted or proposal or DEFAULT_CONCURRENCY)
        found = await commands.request(b"HGET", config_key, b"concurrency")
    recorded = int(found)
    if wanted not in (0, recorded):
        raise ConfigError(
            f"the sessions in this store are spread over {recorded} segments, not {wanted}",
            setting="concurrency",
            hint=f"set concurrency={recorded} or 0, or choose another namespace, which starts with no sessions",
        )
    return recorded


async def check_agreed(commands: Commands, config_key: str, settings: Mapping[str, str]) -> None:
    """Compare settings that all nodes must have alike with those of the first node, which records them.

    Args:
        commands: the server.
        config_key: the hash that records them.
        settings: their values by name, or fingerprints of these.

    Raises:
        ConfigError: one differs: the nodes would not find each other's sessions.
    """
    for name, value in settings.items():
        found = await commands.request(b"HGET", config_key, name)
        if found is None:  # see above
            await commands.request(b"HSETNX", config_key, name, value)
            found = await commands.request(b"HGET", config_key, name)
        if found != value.encode():
            raise ConfigError(
                f"it is {value} here and {found.decode('utf-8', 'replace')} at another server of this application, so "
                "that neither finds the other's sessions",
                setting=name,
                hint=f"set the same {name} everywhere; to change it, choose another namespace, "
                "which starts with no sessions",
            )


async def agree_on_secret(commands: Requests, name: str, proposal: bytes, deadline: float = NEVER) -> bytes:
    """The secret that all nodes share: the first that was proposed (C-11).

    Args:
        commands: the server.
        name: the key that records it.
        proposal: the secret to record if there is none.
        deadline: see `Store`.
    """
    there: bytes | None = await commands.request(b"GET", name, deadline=deadline)
    if there is None:  # a store that is out of memory may still be read, and takes no SET (F-09)
        there = await commands.request(b"SET", name, proposal, b"NX", b"GET", deadline=deadline)
    return there or proposal


def _parse_info(raw: bytes) -> dict[str, str]:
    lines = raw.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _check_release(info: dict[str, str]) -> None:
    flavour = "valkey" if "valkey_version" in info else "redis"
    release = info.get(f"{flavour}_version", "")
    if standing(flavour, release) is Standing.UNSUPPORTED:
        needed = ", ".join(f"{name} {'.'.join(map(str, first))}" for name, first in MINIMUM.items())
        raise ConfigError(
            f"the server is {flavour} {release or 'of an unknown release'}",
            setting="store_url",
            hint=f"needed is at least {needed}",
        )
    warn_once(flavour, release)
