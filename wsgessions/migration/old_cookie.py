"""The cookie in which another library kept its sessions: the check of its attributes, and its removal."""

from __future__ import annotations

from typing import Final

from ..errors import ConfigError
from ..settings.cookie import first_problem

__all__ = ["check_old_cookie", "deletion_of"]

_ARGUMENTS: Final = {"name": "cookie", "path": "cookie_path", "domain": "cookie_domain"}


def deletion_of(name: str, *, path: str, domain: str | None) -> bytes:
    """The Set-Cookie value that removes the cookie.

    Args:
        name: the name of the cookie.
        path: the path of the cookie.
        domain: the domain of the cookie, with or without a dot in front; None or empty without one.

    Raises:
        ConfigError: one of these is invalid in a header, or browsers would reject the cookie (S-28).
    """
    domain = (domain or "").removeprefix(".") or None
    check_old_cookie(name, path=path, domain=domain)
    where = "" if domain is None else f"; Domain={domain}"
    secure = "; Secure" if _is_prefixed(name) else ""
    return f"{name}=; Max-Age=0; Path={path}{where}{secure}; HttpOnly".encode("ascii")


def check_old_cookie(name: str, *, path: str = "/", domain: str | None = None) -> None:
    """Reject at the start the arguments that `deletion_of` rejects; a domain has no dot in front here."""
    problem = first_problem(name=name, path=path, domain=domain, insecure=not _is_prefixed(name))
    if problem is not None:
        argument, message = problem
        raise ConfigError(message, setting=_ARGUMENTS[argument], hint="use the value of the former library")


def _is_prefixed(name: str) -> bool:
    return name.startswith("__")
