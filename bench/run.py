"""The parameters of one run of the measurements."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

__all__ = ["Run"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """One run, with a Valkey server of its own."""

    store_url: str
    folder: Path
    """A directory for temporary files."""
    quick: bool = False
    """Whether to check only that each part works, without reliable times."""
    large: bool = False
    """Whether to measure a million sessions too, which takes minutes and a gigabyte."""

    def choose(self, *, quick: T, full: T) -> T:
        """One of two numbers of repetitions, or the like."""
        return quick if self.quick else full
