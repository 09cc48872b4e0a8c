"""Which releases of the server are supported, and which have known holes (S-88)."""

from __future__ import annotations

import logging
import re
from enum import Enum
from typing import Final

__all__ = ["ADVISORIES_AS_OF", "MINIMUM", "SECURE_FLOORS", "Standing", "parse", "standing", "warn_once", "warning"]

log: logging.Logger = logging.getLogger("wsgessions.valkey")

Version = tuple[int, int, int]

ADVISORIES_AS_OF: Final = "July 2026"
"""The date of the release notes and advisories that `SECURE_FLOORS` follows. Review both at each release."""

SECURE_FLOORS: Final[dict[str, tuple[Version, ...]]] = {"valkey": ((8, 1, 9), (9, 0, 5))}
"""The first release of each major line without a hole that was known then. Later lines began without them, earlier ones
have them. Redis publishes its own list, which is not followed here."""

MINIMUM: Final[dict[str, Version]] = {"valkey": (8, 0, 0), "redis": (7, 2, 0)}
"""The first release that has what this project uses."""


class Standing(Enum):
    """How a server's release is to be taken."""

    GOOD = "good"
    """Supported, and without holes that were known at `ADVISORIES_AS_OF`."""

    VULNERABLE = "vulnerable"
    """Supported, but below the floor of its line: warn, and go on."""

    UNSUPPORTED = "unsupported"
    """Older than the oldest release that has what is needed, or no release number at all."""


def parse(version: str) -> Version | None:
    """``"9.1.2"`` and ``"8.1.9-rc1"`` as numbers; a missing part counts as 0. None if there is no number."""
    found = re.match(r"(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?", version)
    if found is None:
        return None
    major, minor, patch = (int(part or 0) for part in found.groups())
    return major, minor, patch


def standing(flavour: str, version: str) -> Standing:
    """How this release is to be taken.

    Args:
        flavour: what the server calls itself: ``"valkey"`` or ``"redis"``; any other is held to no floor.
        version: its release, as ``INFO`` or ``HELLO`` gives it.
    """
    numbers = parse(version)
    if numbers is None or numbers < MINIMUM.get(flavour, numbers):
        return Standing.UNSUPPORTED
    floors = [floor for floor in SECURE_FLOORS.get(flavour, ()) if floor[0] == numbers[0]]
    return Standing.VULNERABLE if any(numbers < floor for floor in floors) else Standing.GOOD


def warning(flavour: str, version: str) -> str | None:
    """What to tell the operator of this release, or None if there is nothing to say."""
    if standing(flavour, version) is not Standing.VULNERABLE:
        return None
    floors = " or ".join(".".join(map(str, floor)) for floor in SECURE_FLOORS[flavour])
    return (
        f"the store runs {flavour} {version}, which has known security holes (advisories as of {ADVISORIES_AS_OF}): "
        f"upgrade it to at least {floors}"
    )


_warned: set[tuple[str, str]] = set()


def warn_once(flavour: str, version: str) -> None:
    """Log `warning`, if there is one; once in this process for each release."""
    text = warning(flavour, version)
    if text and (flavour, version) not in _warned:
        _warned.add((flavour, version))
        log.warning("%s", text, extra={"event": "store_version"})
