"""The address of the embedded store, and its credentials."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import NoReturn

from .peer import Peer

__all__ = ["Endpoint", "Secret"]


class Secret:
    """A text that is shown only by an explicit call, not in ``repr``, ``str``, ``asdict``, tracebacks or pickles
    (S-79).
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled: attach in the process that needs it")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of the store: a unix socket, or else a host and a port; and the user to sign in as.

    Attributes:
        socket: path of the unix socket, or None: then ``host`` and ``port`` are given.
        host: a numeric address, or None.
        port: a TCP port, or None.
        username: the one user that may do anything; the server's default user is switched off (S-87).
        password: random, drawn by the supervisor.
        server_version: such as ``"9.1.2"``.
        server_pid: the server's process.
        pid_namespace: where that number counts, see `Peer`.
    """

    socket: str | None
    host: str | None
    port: int | None
    username: str
    password: Secret
    server_version: str
    server_pid: int
    pid_namespace: str

    @property
    def peer(self) -> Peer:
        """The process that must be at the other end before the password is sent."""
        return Peer(self.server_pid, self.pid_namespace)
