"""The framework versions that an adapter supports, and the check of the installed one."""

from __future__ import annotations

import re
from enum import Enum
from functools import cache
from importlib import metadata
from importlib.metadata import PackageNotFoundError
from typing import NamedTuple

from .errors import ConfigError

__all__ = ["Fit", "FrameworkVersions", "check_framework"]


@cache
def version(package: str) -> str:
    """The version of an installed package. Its metadata is read and parsed once, not for each application."""
    return metadata.version(package)


class Fit(Enum):
    """Whether an adapter supports the installed version of its framework."""

    FITS = "yes"
    """It lies between the oldest and the newest version that were tested."""
    UNTESTED = "newer than tested"
    """It is newer than all tested ones, and is expected to work."""
    TOO_OLD = "too old"
    TOO_NEW = "too new"
    """It is too old or too new for the adapter."""
    MISSING = "not installed"


class FrameworkVersions(NamedTuple):
    """The versions of one framework that an adapter supports, each as numbers with dots."""

    distribution: str
    """The framework's name on the package index."""
    oldest: str
    """The oldest supported version."""
    tested: str = ""
    """The newest version that was tested; `"1.10"` stands for all of 1.10. Empty if none is declared."""
    before: str = ""
    """The first unsupported version; empty if none is known."""

    @property
    def supported(self) -> str:
        """As a version specifier of package indexes: ``">=1.0,<2"``."""
        return f">={self.oldest}" + (f",<{self.before}" if self.before else "")

    def installed(self) -> str | None:
        """The installed version; None if there is none, or it is unknown."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None

    def fit(self) -> Fit:
        """The support of the installed version."""
        installed = self.installed()
        if installed is None:
            return Fit.MISSING
        numbers = _numbers(installed)
        if _below(numbers, self.oldest):
            return Fit.TOO_OLD
        if self.before and not _below(numbers, self.before):
            return Fit.TOO_NEW
        tested = _numbers(self.tested)
        return Fit.UNTESTED if tested and numbers[: len(tested)] > tested else Fit.FITS

    def check(self) -> None:
        """Reject an unsupported version. A framework of unknown version is accepted.

        Raises:
            ConfigError: the installed one is too old or too new; names it and the supported ones.
        """
        fit = self.fit()
        if fit in {Fit.TOO_OLD, Fit.TOO_NEW}:
            bound = f" and below {self.before}" if self.before else ""
            raise ConfigError(
                f"{self.distribution} {self.installed()} is installed; this adapter is made for {self.oldest} or later"
                f"{bound}",
                setting="adapter",
                hint=f'pip install "{self.distribution}{self.supported}"',
            )


def check_framework(adapter: object) -> None:
    """Reject a version of the framework that the adapter does not support; an adapter without a declaration accepts
    any.

    Args:
        adapter: an adapter or its class, with or without the attribute ``framework``.

    Raises:
        ConfigError: names the installed version and the supported ones.
    """
    framework: FrameworkVersions | None = getattr(adapter, "framework", None)
    if framework is not None:
        framework.check()


def _below(numbers: tuple[int, ...], bound: str) -> bool:
    """Whether a version comes before a bound, of which "2" and "2.0" are the same."""
    limit = _numbers(bound)
    width = max(len(numbers), len(limit))
    return _padded(numbers, width) < _padded(limit, width)


def _padded(numbers: tuple[int, ...], width: int) -> tuple[int, ...]:
    return (*numbers, *[0] * (width - len(numbers)))


def _numbers(text: str) -> tuple[int, ...]:
    """What a version begins with: "1.0rc1" is (1, 0)."""
    return tuple(int(part) for part in re.findall(r"[0-9]+", re.split(r"[^0-9.]", text)[0]))
