"""The supported releases of the server, and those with known vulnerabilities (S-88)."""

from __future__ import annotations

import logging
import re
from enum import Enum
from typing import Final

__all__ = ["ADVISORIES_AS_OF", "MINIMUM", "SECURE_FLOORS", "Standing", "parse", "standing", "warn_once", "warning"]

log: logging.Logger = logging.getLogger("wsgessions.valkey")

Version = tuple[int, int, int]

ADVISORIES_AS_OF: Final = "August 2026"
"""The date of the release notes and advisories that `SECURE_FLOORS` and `ADVISORIES` follow. Review them at each
release."""

SECURE_FLOORS: Final[dict[str, tuple[Version, ...]]] = {
    "valkey": ((8, 0, 10), (8, 1, 9), (9, 0, 5), (9, 1, 1)),
    "redis": ((7, 2, 16), (7, 4, 11), (8, 2, 9), (8, 4, 6), (8, 6, 6), (8, 8, 2), (8, 10, 1)),
}
"""The first release of each line, such as 8.1, without a vulnerability that was known then. A line between these that
is not listed has got no fix; later lines began without the vulnerabilities."""

ADVISORIES: Final[dict[str, str]] = {"valkey": "CVE-2026-56684, CVE-2026-63639", "redis": "CVE-2026-81934"}
"""The vulnerabilities that the floors fix; releases below may have others too."""

MINIMUM: Final[dict[str, Version]] = {"valkey": (8, 0, 0), "redis": (7, 2, 0)}
"""The first release with all functions that this project uses."""


class Standing(Enum):
    """The support of a server's release."""

    GOOD = "good"
    """Supported, and without vulnerabilities that were known at `ADVISORIES_AS_OF`."""

    VULNERABLE = "vulnerable"
    """Supported, but below the floor of its line: log a warning and continue."""

    UNSUPPORTED = "unsupported"
    """Older than the oldest supported release, or without a valid release number."""


def parse(version: str) -> Version | None:
    """``"9.1.2"`` and ``"8.1.9-rc1"`` as numbers; a missing part counts as 0. None if there is no number."""
    found = re.match(r"(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?", version)
    if found is None:
        return None
    major, minor, patch = (int(part or 0) for part in found.groups())
    return major, minor, patch


def standing(flavour: str, version: str) -> Standing:
    """The support of this release.

    Args:
        flavour: the name of the server: ``"valkey"`` or ``"redis"``; any other has no floor.
        version: its release, as ``INFO`` or ``HELLO`` gives it.
    """
    numbers = parse(version)
    if numbers is None or numbers < MINIMUM.get(flavour, numbers):
        return Standing.UNSUPPORTED
    return Standing.GOOD if _secure_from(flavour, numbers) <= numbers else Standing.VULNERABLE


def _secure_from(flavour: str, numbers: Version) -> Version:
    """The floor of this release's line; for a line without one that of the next, for the latest ones the release."""
    at_least = [floor for floor in SECURE_FLOORS.get(flavour, ()) if floor[:2] >= numbers[:2]]
    return min(at_least, default=numbers)


def warning(flavour: str, version: str) -> str | None:
    """The warning about this release; None if there is none."""
    numbers = parse(version)
    if numbers is None or standing(flavour, version) is not Standing.VULNERABLE:
        return None
    floor = ".".join(map(str, _secure_from(flavour, numbers)))
    return (
        f"the store runs {flavour} {version}, which has known security holes ({ADVISORIES[flavour]} among them, "
        f"advisories as of {ADVISORIES_AS_OF}): upgrade it to at least {floor}"
    )


_warned: set[tuple[str, str]] = set()


def warn_once(flavour: str, version: str) -> None:
    """Log `warning`, if there is one; once in this process for each release."""
    text = warning(flavour, version)
    if text and (flavour, version) not in _warned:
        _warned.add((flavour, version))
        log.warning("%s", text, extra={"event": "store_version"})
