"""The comparison of settings that all processes of one application should have alike (C-27)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol, runtime_checkable

from .contract import NEVER

__all__ = ["KEY_RING", "Comparison", "Difference", "OtherProcess", "SettingsComparison", "find_differences"]

KEY_RING: Final = "secrets"
"""The setting with a ring of keys, here the fingerprints with spaces in between: the first key signs, all verify."""


class Difference(NamedTuple):
    """One setting with two values."""

    setting: str
    here: str
    there: str

    def __str__(self) -> str:
        return f"{self.setting} is {self.here} here and {self.there} there"


class OtherProcess(NamedTuple):
    """A process with other settings than this one."""

    name: str
    """Its host and number."""
    heard_us: int
    """When it recorded its settings last, in microseconds by the store's clock."""
    differences: tuple[Difference, ...]


class Comparison(NamedTuple):
    """The result of one comparison."""

    now_us: int
    """The store's time in microseconds."""
    others: int
    """The number of other processes that were compared."""
    deviating: list[OtherProcess]
    """Those with other settings."""


@runtime_checkable
class SettingsComparison(Protocol):
    """The capability to compare the settings of this process with those of the others."""

    async def compare_settings(self, *, deadline: float = NEVER) -> Comparison:
        """Compare them now. The settings of this process are not recorded by that."""
        ...


def find_differences(here: Mapping[str, str], there: Mapping[str, str]) -> tuple[Difference, ...]:
    """The settings that contradict each other.

    Settings that only one of the two knows belong to another release. Two rings of keys agree if each verifies what the
    other signs, so that keys can be exchanged one after the other.
    """
    return tuple(
        Difference(name, value, there[name])
        for name, value in here.items()
        if name in there and not _agree(name, value, there[name])
    )


def _agree(name: str, here: str, there: str) -> bool:
    if name != KEY_RING:
        return here == there
    ours, theirs = here.split(" "), there.split(" ")
    return ours[0] in theirs and theirs[0] in ours
