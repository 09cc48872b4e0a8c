"""The expected state of a session, for the model that a store is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ... import codec
from ...record import CommitOutcome, RotationTarget, SessionDelta, SessionRecord
from .harness import number

__all__ = ["Modelled", "Sent", "sums_of"]


class Sent(NamedTuple):
    """An applied commit, and its answer."""

    delta: SessionDelta
    to: RotationTarget | None
    outcome: CommitOutcome


@dataclass
class Modelled:
    """The expected state of a session."""

    record: SessionRecord
    """The state of a client that has read it after the latest commit."""
    idle: int
    used_at: int
    ends_at: int
    """The absolute deadline."""
    history: list[SessionRecord] = field(default_factory=list[SessionRecord])
    """All its states, oldest first."""
    written: dict[str, int] = field(default_factory=dict[str, int])
    """The version that wrote each present attribute."""
    removed: int = 0
    """The version of the latest removal."""
    sent: list[Sent] = field(default_factory=list[Sent])
    gone: bool = False
    """Deleted, or moved away by a rotation."""

    def alive(self, now: int) -> bool:
        idle_end = self.used_at + self.idle if self.idle else self.ends_at
        return not self.gone and now < min(idle_end, self.ends_at)


def sums_of(attributes: dict[str, bytes], increments: dict[str, int | float]) -> dict[str, int | float] | None:
    """The results of the increments in a dict of numbers; None if an attribute is not a number."""
    values = {name: codec.decode(attributes.get(name, number(0)), name=name) for name in increments}
    if any(type(value) not in (int, float) for value in values.values()):
        return None
    return {name: values[name] + by for name, by in increments.items()}
