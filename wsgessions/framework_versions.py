"""Which versions of its framework an adapter is made for, and whether the installed one is among them."""

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
    """How the installed version of a framework stands to an adapter."""

    FITS = "yes"
    """It lies between the oldest and the newest version that were tested."""
    UNTESTED = "newer than tested"
    """It is newer than all that were tested, and is expected to do."""
    TOO_OLD = "too old"
    TOO_NEW = "too new"
    """It is one of those from which on the adapter is known, or must be expected, not to work."""
    MISSING = "not installed"


class FrameworkVersions(NamedTuple):
    """The versions of one framework that an adapter supports, each as numbers with dots."""

    distribution: str
    """The framework's name on the package index."""
    oldest: str
    """The oldest version that will do."""
    tested: str = ""
    """The newest version that was tested; `"1.10"` stands for all of 1.10. Empty if nothing is said."""
    before: str = ""
    """The first version that will not do; empty if none is known."""

    @property
    def supported(self) -> str:
        """In the words of package indexes: ``">=1.0,<2"``."""
        return f">={self.oldest}" + (f",<{self.before}" if self.before else "")

    def installed(self) -> str | None:
        """The installed version; None if there is none, or it does not say."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None

    def fit(self) -> Fit:
        """How the installed version stands."""
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
        """Refuse a version that does not fit. A framework that does not tell its version is believed.

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
    """Refuse a version of the framework that the adapter does not support; one that declares nothing takes any.

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
