"""The key of a session in the store, the target of a rotation, and the principal: constant within one incarnation."""

from __future__ import annotations

from typing import NamedTuple

from ..internal.masked import masked, shows_as
from .struct import Struct

__all__ = ["PrincipalBinding", "Place", "SessionKey", "RotationTarget"]


@shows_as(lambda key: f"<SessionKey {key.ref}>")
class SessionKey(Struct, frozen=True, order=True, gc=False):
    """The key of a session in the store: made from its id by `credentials.identity`, no credential (S-08, S-12)."""

    prefix: int
    """The id's first 12 bits, 0 to 4095; modulo ``concurrency`` they choose the segment (S-01, E-1)."""
    digest: bytes
    """16 bytes: the name of the record and the member of the segment's index (C-7)."""

    @property
    def ref(self) -> str:
        """The public name for people and logs: 12 hex digits (S-80)."""
        return f"{self.prefix:03x}{self.digest.hex()[:9]}"


@masked
class PrincipalBinding(NamedTuple):
    """The user that the session belongs to (S-55)."""

    principal: str
    version: int
    """The version that bound it, hence the time of the login: microseconds by the store's clock (C-8)."""


@masked
class RotationTarget(NamedTuple):
    """The result of a rotation: a new key in the same segment and a new incarnation (S-06, E-10)."""

    key: SessionKey
    incarnation: int
    forward_ms: int = 0
    """The store's time until which the old key leads here; 0 for a change of privilege (S-07)."""
    principal: str | None = None
    """The previous principal; None if there is none. The indexes of principals are updated by it (E-9)."""
    binds: str | None = None
    """The new principal, ``""`` for none; None leaves it unchanged. Never with a forward."""

    @property
    def principal_after(self) -> str | None:
        """The principal after the rotation; None if there is none."""
        return self.principal if self.binds is None else self.binds or None

    def binding_at(self, version: int, before: PrincipalBinding | None) -> PrincipalBinding | None:
        """The binding after the rotation with this version."""
        if self.binds is None:
            return before
        return PrincipalBinding(self.binds, version) if self.binds else None


@masked
class Place(NamedTuple):
    """The place of a session since its id was renewed (S-07)."""

    key: SessionKey
    incarnation: int
    rotated: int
    """The version of that rotation."""
