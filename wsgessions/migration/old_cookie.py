"""The cookie in which another library kept its sessions: what it may be called, and how it is removed."""

from __future__ import annotations

from typing import Final

from ..errors import ConfigError
from ..settings.cookie import first_problem

__all__ = ["check_old_cookie", "deletion_of"]

_ARGUMENTS: Final = {"name": "cookie", "path": "cookie_path", "domain": "cookie_domain"}


def deletion_of(name: str, *, path: str, domain: str | None) -> bytes:
    """The Set-Cookie value that removes the cookie.

    Args:
        name: its name.
        path: its path.
        domain: its domain, a dot in front or not; None if it has none.

    Raises:
        ConfigError: one of these could not stand in a header, or browsers would refuse the cookie (S-28).
    """
    domain = None if domain is None else domain.removeprefix(".")
    check_old_cookie(name, path=path, domain=domain)
    where = "" if domain is None else f"; Domain={domain}"
    secure = "; Secure" if _is_prefixed(name) else ""
    return f"{name}=; Max-Age=0; Path={path}{where}{secure}; HttpOnly".encode("ascii")


def check_old_cookie(name: str, *, path: str = "/", domain: str | None = None) -> None:
    """Refuse at start what `deletion_of` refuses; a domain is without its dot here."""
    problem = first_problem(name=name, path=path, domain=domain, insecure=not _is_prefixed(name))
    if problem is not None:
        argument, message = problem
        raise ConfigError(message, setting=_ARGUMENTS[argument], hint="as the library before has set it")


def _is_prefixed(name: str) -> bool:
    return name.startswith("__")
