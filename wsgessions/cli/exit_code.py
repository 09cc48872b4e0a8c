"""What the command tells the shell."""

from __future__ import annotations

from enum import IntEnum

from ..errors import ConfigError, StoreUnavailable, WsgessionsError

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """The exit codes of every sub-command."""

    OK = 0
    """Done."""
    FAILURE = 1
    """Tried, and it did not work."""
    USAGE = 2
    """Asked for in a wrong way: an unknown option, a setting that makes no sense."""
    UNREACHABLE = 3
    """The store or the management address does not answer."""
    NOT_FOUND = 4
    """What was asked about does not exist."""

    @classmethod
    def of(cls, error: WsgessionsError) -> ExitCode:
        """The code for an error that ends a sub-command."""
        if isinstance(error, ConfigError):
            return cls.USAGE
        return cls.UNREACHABLE if isinstance(error, StoreUnavailable) else cls.FAILURE
