"""The users of the embedded server, as lines of its configuration (S-86, S-87).

| user | rights |
|---|---|
| ``default`` | none: it is disabled, and a client without authentication gets no answer, not even to PING |
| `USERNAME` | what the rules in ``wsgessions/stores/valkey/acl.txt`` grant, in any namespace |
| `SUPERVISOR` | read the status of the server, and have its file rewritten |
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from .connection import USERNAME
from .endpoint import Secret

__all__ = ["SUPERVISOR", "user_lines"]

SUPERVISOR: Final = "supervisor"

_SHIPPED_RULES: Final = Path(__file__).resolve().parents[1] / "valkey" / "acl.txt"
"""A file, since the supervisor imports no more of the package than it needs."""

_SUPERVISION: Final = "+info +bgrewriteaof"


def user_lines(password: Secret, supervisors_password: Secret) -> list[str]:
    """The lines. They hold hashes of the passwords only."""
    granted = [word for word in _SHIPPED_RULES.read_text(encoding="ascii").split() if word.startswith("+")]
    return [
        "user default reset",
        _line(USERNAME, password, f"~* {' '.join(granted)}"),
        _line(SUPERVISOR, supervisors_password, _SUPERVISION),
    ]


def _line(name: str, password: Secret, rights: str) -> str:
    digest = hashlib.sha256(password.reveal().encode()).hexdigest()
    return f"user {name} reset on #{digest} {rights}"
