"""What befalls a world: time that passes, connections that break or lose pushes, and stores that forget or change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.coherence.model.node import HEARTBEAT
from tests.coherence.model.server import Data, ServerConnection
from wsgessions.store.contract import NEVER

if TYPE_CHECKING:
    from tests.coherence.model.world import World

__all__ = ["UPSETS", "Upsets"]

UPSETS = (
    "tick", "step", "cut", "mute", "cancel", "flushall", "evict", "failover", "demote", "resync", "forget_scripts",
    "ghost", "late", "unmute", "emptied", "swapped",
)  # fmt: skip
"""What happens only as often as a scenario allows."""


class Upsets:
    """The upsets of one world. The methods that `UPSETS` names carry out the actions of these names."""

    def __init__(self, world: World) -> None:
        self._world = world

    def possible(self, name: str) -> list[str]:
        """The actions of this kind that can happen now."""
        connected = [node.number for node in self._world.nodes if node.link.connection is not None]
        if name in ("cut", "mute"):
            return [f"{name}:{number}" for number in connected]
        if name == "unmute":
            return [f"unmute:{number}" for number in connected if self._connection(number).mute]
        if name == "late":
            return [f"late:{number}" for number in connected if self._deadlines(number)]
        if name == "cancel":
            return [f"cancel:{each.number}" for each in self._world.browsers if not self._world.is_idle(each)]
        if name == "ghost":
            return ["ghost"] if any(each.inbox for each in self._world.ghosts) else []
        if name in ("failover", "demote", "resync"):
            return [name] if len(self._world.primary.past) > self._world.scenario.lost else []
        return [name]

    def _connection(self, number: int) -> ServerConnection:
        connection = self._world.nodes[number].link.connection
        assert connection is not None
        return connection

    def _deadlines(self, number: int) -> list[float]:
        """Those that are still to come, of what is on its way to the server."""
        waiting = self._world.nodes[number].link.waiting if self._connection(number).inbox else ()
        return [each.deadline for each in waiting if self._world.time <= each.deadline < NEVER]

    def tick(self) -> None:
        self.pass_time(0.001)

    def step(self) -> None:
        self.pass_time(HEARTBEAT)

    def pass_time(self, seconds: float) -> None:
        """Move the clock of all on."""
        self._world.time += seconds
        for node in self._world.nodes:
            node.link.expire(self._world.time)

    def late(self, number: int) -> None:
        """What a node has sent is held up until all of it is past its deadline."""
        self.pass_time(max(self._deadlines(number)) + 0.001 - self._world.time)

    def cut(self, number: int) -> None:
        link = self._world.nodes[number].link
        assert link.connection is not None
        self._world.ghosts.append(link.connection)
        link.abandon("it was cut")

    def mute(self, number: int) -> None:
        self._connection(number).mute = True

    def unmute(self, number: int) -> None:
        self._connection(number).mute = False

    def cancel(self, number: int) -> None:
        self._world.running[number].cancel()

    def flushall(self) -> None:
        self._world.primary.flush_all()

    def emptied(self) -> None:
        """As by a swap with an empty database: no push, and the same replication id."""
        self._world.timeline_lost = True
        self._world.primary.replace(Data())

    def swapped(self) -> None:
        """With one that has an older state of the session."""
        self._world.timeline_lost = True
        self._world.checks.restored()
        self._world.primary.replace(self._world.other.copy())

    def evict(self) -> None:
        self._world.primary.evict(self._world.segment.record(self._world.browsers[0].key))

    def failover(self) -> None:
        """The primary dies."""
        self._take_over()
        for node in self._world.nodes:
            node.link.abandon("the primary died")

    def demote(self) -> None:
        """The primary becomes a follower that lags behind, and keeps its connections (fact 12)."""
        old = self._world.primary
        self._take_over()
        old.readonly = True

    def _take_over(self) -> None:
        self._world.timeline_lost = True
        self._world.primary = self._world.primary.successor(self._world.scenario.lost)

    def resync(self) -> None:
        self._world.timeline_lost = True
        self._world.primary.resync(self._world.scenario.lost)

    def forget_scripts(self) -> None:
        self._world.primary.known.clear()

    def ghost(self) -> None:
        connection = next(each for each in self._world.ghosts if each.inbox)
        connection.server.execute(connection)
