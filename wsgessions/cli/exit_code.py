"""The exit codes of the command."""

from __future__ import annotations

from enum import IntEnum

from ..errors import ConfigError, StoreUnavailable, WsgessionsError

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """The exit codes of every sub-command."""

    OK = 0
    """Done."""
    FAILURE = 1
    """The command failed."""
    USAGE = 2
    """Wrong usage: an unknown option, an invalid setting."""
    UNREACHABLE = 3
    """The store or the management address does not answer."""
    NOT_FOUND = 4
    """The requested object does not exist."""

    @classmethod
    def of(cls, error: WsgessionsError) -> ExitCode:
        """The code for an error that ends a sub-command."""
        if isinstance(error, ConfigError):
            return cls.USAGE
        return cls.UNREACHABLE if isinstance(error, StoreUnavailable) else cls.FAILURE
