"""What must hold after every step: the guarantee of ``docs/design/coherence.md``, said of the model's history."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.coherence.model.node import HEARTBEAT, LEASE
from wsgessions.record import SessionKey, SessionRecord

if TYPE_CHECKING:
    from tests.coherence.model.browser import Browser
    from tests.coherence.model.node import Node
    from tests.coherence.model.records import Record
    from tests.coherence.model.world import World

__all__ = ["Checks", "Violation"]

_Content = tuple[tuple[str, bytes], ...]


class Violation(AssertionError):
    """A promise was broken."""


class _Period(NamedTuple):
    """A session was in this state (None: over, or never there) from here until the next period."""

    record: Record | None
    step: int
    at: float


class Checks:
    """The checks of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._contents: dict[tuple[int, int], _Content] = {}
        self._history: dict[bytes, list[_Period]] = {}
        self._deleted: set[bytes] = set()
        self._barred: set[bytes] = set()
        self._given_up: set[bytes] = set()
        """Commit ids of changes whose browsers have been told that they failed, or may have."""
        self._made: set[bytes] = set()
        """Commit ids of all changes that a server has made."""
        self._expired_at: dict[bytes, int] = {}
        """The latest step in which a session was over by the store's time; a late touch may bring it back (C-16)."""
        self.served_from_memory: int = 0
        """How often that happened: a model in which it never does proves nothing."""

    # What a browser gets

    def served(self, browser: Browser, node: Node, record: SessionRecord) -> None:
        """From memory: a state that was the store's within the last lease (C-4), and nothing older than seen (C-11)."""
        self.served_from_memory += 1
        self.content(record)
        connection = node.link.connection
        # Where bytes are not counted, one beat more may be acknowledged until a canary has proved that pushes are lost.
        slack = HEARTBEAT if connection is not None and connection.mute and not connection.server.counts else 0.0
        oldest = self._world.time - LEASE - slack
        if not self._was_present(record, lambda period, until: until.at >= oldest):
            raise Violation(f"node {node.number} serves a state that was replaced more than a lease ago")
        if record.key.digest in self._barred:
            raise Violation(f"node {node.number} serves a session that was deleted before a barrier returned")
        if node.heard_all:
            self._is_alive(record)
        self._not_behind(browser, node, record)

    def loaded(self, browser: Browser, node: Node, record: SessionRecord) -> None:
        """From the store: a state that was there while the request ran."""
        self.content(record)
        if not self._is_demoted(node) and not self._was_present(record, lambda _, until: until.step >= browser.began):
            raise Violation(f"node {node.number} read a state that was replaced before the request began")
        self._not_behind(browser, node, record)

    def gone(self, browser: Browser, node: Node) -> None:
        """A browser is told that there is no such session, so there must have been none while the request ran."""
        periods = self._history.get(browser.key.digest, [])
        ends = [*(period.step for period in periods[1:]), self._world.step + 1]
        during = [period for period, end in zip(periods, ends, strict=True) if end >= browser.began]
        seen = browser.seen.incarnation.to_bytes(8) if browser.seen else None
        lived = during and all(each.record and each.record.incarnation == seen for each in during)
        if lived and self._expired_at.get(browser.key.digest, -1) < browser.began and not self._is_demoted(node):
            raise Violation(f"node {node.number} took a living session for gone")

    def content(self, record: SessionRecord) -> None:
        """One incarnation and version never has two contents; nor does anybody alter a snapshot."""
        known = self._contents.get((record.incarnation, record.version))
        if known is None:
            raise Violation("a state that no server has ever had")
        if known != tuple(sorted(record.attributes.raw.items())):
            raise Violation("a state of a session with two contents")

    def _not_behind(self, browser: Browser, node: Node, record: SessionRecord) -> None:
        """Read your writes, monotonic reads; older only where the newer state was lost (C-12)."""
        seen = browser.seen
        if seen is None or seen.incarnation != record.incarnation or record.version >= seen.version:
            return
        lost = (seen.incarnation.to_bytes(8), seen.version) not in self._world.primary.data.lineage
        if not lost and not self._is_demoted(node):
            raise Violation(f"node {node.number} shows browser {browser.number} something older than it has seen")

    def _is_alive(self, record: SessionRecord) -> None:
        data, now = self._world.primary.data, self._world.primary.now_ms()
        if data.scores.get(record.key.digest, 0) <= now:
            raise Violation("a session is served that has expired by the store's time")

    def _was_present(self, record: SessionRecord, recent: object) -> bool:
        assert callable(recent)
        periods = self._history.get(record.key.digest, [])
        ends = [*periods[1:], _Period(None, self._world.step + 1, self._world.time)]
        wanted = (record.incarnation.to_bytes(8), record.version)
        return any(
            period.record is not None
            and (period.record.incarnation, period.record.version) == wanted
            and recent(period, until)
            for period, until in zip(periods, ends, strict=True)
        )

    def _is_demoted(self, node: Node) -> bool:
        """Whether a node still talks to a server that is no longer the primary; its heartbeat will tell it."""
        connection = node.link.connection
        return connection is None or connection.server is not self._world.primary

    # What happens at the store

    def given_up(self, browser: Browser) -> None:
        """A request has ended with an error; a change that came later could undo a newer one (C-20)."""
        if browser.change:
            self._given_up.add(browser.change)

    def deleted(self, key: SessionKey) -> None:
        """A deletion was acknowledged."""
        self._deleted.add(key.digest)

    def barred(self, key: SessionKey) -> None:
        """And the barrier has returned."""
        record = self._world.record_of(key)
        if record is None or record.dead:  # otherwise a failover has lost the deletion (C-15b)
            self._barred.add(key.digest)

    def restored(self) -> None:
        """An older state is the store's now, in which sessions live that were deleted since."""
        self._barred.clear()

    def after_step(self, *, again: bool) -> None:
        """Take note of what the store has now, and look at every copy."""
        world, now = self._world, self._world.primary.now_ms()
        for name, record in world.primary.data.records.items():
            self._note(name[-16:], None if record.dead else record)
            if world.primary.data.scores.get(name[-16:], 0) <= now:
                self._expired_at[name[-16:]] = world.step
        for digest, periods in self._history.items():
            if (
                periods[-1].record is not None
                and world.segment.record_prefix + digest not in world.primary.data.records
            ):
                self._note(digest, None)
        for node in () if again else world.nodes:
            self._look_at(node)

    def _note(self, digest: bytes, record: Record | None) -> None:
        periods = self._history.setdefault(digest, [])
        if periods and periods[-1].record is record:
            return
        if record is not None:
            self._register(record)
            if digest in self._deleted and not self._world.timeline_lost:
                raise Violation("a deleted session has come back")
        periods.append(_Period(record, self._world.step, self._world.time))

    def _register(self, record: Record) -> None:
        state = (int.from_bytes(record.incarnation), record.version)
        if self._contents.setdefault(state, record.content()) != record.content():
            raise Violation("two states of a session with one version")
        made = {each.id for each in record.commits} - self._made
        if made & self._given_up:
            raise Violation("a change was made after its browser had been told that it had failed")
        self._made |= made

    def register_past(self) -> None:
        """States that came and went within one step."""
        for data in self._world.primary.past[-2:]:
            for record in data.records.values():
                if not record.dead:
                    self._register(record)

    def _look_at(self, node: Node) -> None:
        if node.loop.errors:
            raise Violation(f"node {node.number}: {node.loop.errors[0]}")
        for snapshot in node.cache.heap._by_digest.values():
            self.content(snapshot.record)
            if snapshot.current and node.heard_all:
                there = self._world.record_of(snapshot.record.key)
                if there is None or there.dead or there.version != snapshot.record.version:
                    raise Violation(f"node {node.number} has heard all that was pushed, and keeps a stale copy")
