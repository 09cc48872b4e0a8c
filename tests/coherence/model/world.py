"""A small world: one store, some nodes, some browsers, and the actions that can happen next.

An action is a word: ``start:0`` (browser 0 sends its next request), ``exec:1`` (the server runs the next command of
node 1), ``deliver:1`` (node 1's parser gets the next item of its stream), ``run:1`` (node 1's event loop runs), and
those in `tests.coherence.model.upsets`, of which ``tick`` and ``step`` let a millisecond and half a second pass. A list
of actions is a schedule, and one schedule always leads to the same end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.coherence.model.browser import FIRST_STATE, Ask, Browser
from tests.coherence.model.checks import Checks, Violation
from tests.coherence.model.node import Node
from tests.coherence.model.records import Record
from tests.coherence.model.scripts import SCRIPTS
from tests.coherence.model.server import Data, Server, ServerConnection
from tests.coherence.model.upsets import UPSETS, Upsets
from wsgessions.errors import StoreUnavailable
from wsgessions.record import NewSession, RotationTarget, SessionKey, SessionRecord
from wsgessions.store.contract import NEVER
from wsgessions.stores.valkey.format.segments import Segments

__all__ = ["Scenario", "World"]

_FIRST_KEY = SessionKey(0, bytes(15) + b"\1")


@dataclass(frozen=True)
class Scenario:
    """A small configuration. What is not limited here happens as often as it can."""

    programs: tuple[tuple[Ask, ...], ...]
    """The requests of each browser, all of the one session."""
    upsets: dict[str, int] = field(default_factory=dict)
    nodes: int = 2
    lost: int = 1
    """How many writes a failover loses."""
    fine: bool = False
    """Whether commands of one piece, and replies to it, are separate steps."""
    patient: bool = True
    """Whether the event loop of a node may be late; otherwise it runs after each delivery."""
    warm: tuple[int, ...] = (0, 1)
    """Nodes that hold a copy in the beginning."""
    remembered: int = 8
    tracks: bool = True
    interval_ms: int = 100_000
    before: tuple[Ask, ...] = ()
    """Requests of browser 0 that are over before the first action."""
    beating: tuple[int, ...] = (0, 1)
    """Nodes that send heartbeats; the others have no lease."""
    age: int = 0
    """Heartbeats before the first action: a barrier trusts no list of members that is younger than a lease."""
    created_by_reader: bool = False
    """Whether node 0, which created the session, keeps the copy of its own making, and no other."""
    loose: bool = False
    """Whether it has too many schedules to try them all."""
    depth: int = 60
    patience: float = NEVER
    """Seconds from the beginning of each request to its deadline."""
    counts: bool = True
    """Whether the server counts the bytes that it sends."""
    forked: bool = False
    """Whether all nodes but the first are forked from it, before the store object is used."""


class World:
    """The state of everything."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.time: float = 1_000_000.0
        self.step: int = 0
        self.timeline_lost: bool = False
        self.left = Counter(scenario.upsets)
        self.schedule: list[str] = []
        self.segment = next(iter(Segments("wsg", "/", 1)))
        self.primary = Server(lambda: self.time, SCRIPTS)
        self.primary.remembered, self.primary.tracks = scenario.remembered, scenario.tracks
        self.primary.counts = scenario.counts
        self.other = Data()
        """Another database, which the session is in as it was before the first action."""
        self.checks = Checks(self)
        self.upsets = Upsets(self)
        self.nodes: list[Node] = []
        for number in range(scenario.nodes):
            parent = self.nodes[0] if number and scenario.forked else None
            self.nodes.append(Node(number, lambda: self.time, forked_from=parent))
        self.ghosts: list[ServerConnection] = []
        self.browsers = [Browser(i, _FIRST_KEY, program) for i, program in enumerate(scenario.programs)]
        self.running: dict[int, asyncio.Task[None]] = {}
        self._numbers = 0

    # Before the first action

    def begin(self) -> None:
        """Connect all, let them beat, create the session and warm the caches."""
        for node in self.nodes:
            node.start(self.primary, beating=node.number in self.scenario.beating)
        self.settle()
        for _ in range(self.scenario.age):
            self.upsets.step()
            self.settle()
        new = NewSession(_FIRST_KEY, FIRST_STATE, self.scenario.interval_ms, 10_000_000, incarnation=1)
        record = self._finish(self.nodes[0], self.nodes[0].cache.create(new))
        assert isinstance(record, SessionRecord)
        for number in self.scenario.warm:
            self._finish(self.nodes[number], self.nodes[number].cache.load(_FIRST_KEY))
        if 0 not in self.scenario.warm and not self.scenario.created_by_reader:
            self.nodes[0].cache.on_removed(_FIRST_KEY)
        for browser in self.browsers:
            browser.seen = browser.mark = record.seen
        for ask in self.scenario.before:
            self._finish(self.nodes[ask.node], self.browsers[0].ask(ask, self.nodes[ask.node], self))
        for browser in self.browsers:
            browser.mark = browser.seen = self.browsers[0].seen
        self.other = self.primary.data.copy()
        self.other.members, self.other.origin = {}, (0, b"")
        self.schedule.clear()

    def _finish(self, node: Node, request: Any) -> Any:
        task = node.loop.create_task(request)
        node.loop.run()
        self.settle()
        return task.result()

    def settle(self) -> None:
        """Let everything arrive that is under way, at this instant."""
        for _ in range(1000):
            ready = [each for each in self._plain() if not each.startswith("start")]
            if not ready:
                return
            self.do(ready[0])
        raise Violation("it never comes to rest")

    # Actions

    def enabled(self) -> list[str]:
        """What can happen next."""
        return self._plain() + [word for name in UPSETS if self.left[name] > 0 for word in self.upsets.possible(name)]

    def _plain(self) -> list[str]:
        words = []
        for node in self.nodes:
            connection = node.link.connection
            if node.loop.due():
                words.append(f"run:{node.number}")
                if not self.scenario.patient:
                    continue
            if connection is None:
                words.append(f"connect:{node.number}")
                continue
            if connection.stream:
                words.append(f"deliver:{node.number}")
            if connection.inbox:
                words.append(f"exec:{node.number}")
        words += [f"start:{each.number}" for each in self.browsers if each.program and self.is_idle(each)]
        return words

    def is_idle(self, browser: Browser) -> bool:
        """Whether it waits for nothing."""
        task = self.running.get(browser.number)
        return task is None or task.done()

    def _connection(self, number: int) -> ServerConnection:
        connection = self.nodes[number].link.connection
        assert connection is not None
        return connection

    def do(self, word: str, *, again: bool = False) -> None:
        """Carry out one action, and check. The copies were all looked at if it was done ``again``.

        Raises:
            Violation: something that was promised does not hold any more.
        """
        self.step += 1
        self.schedule.append(word)
        name, _, number = word.partition(":")
        arguments = [int(number)] if number else []
        if name in UPSETS:
            self.left[name] -= 1
            getattr(self.upsets, name)(*arguments)
        else:
            getattr(self, f"_do_{name}")(*arguments)
        for task in self.running.values():
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error
        self.checks.after_step(again=again)

    def _do_start(self, number: int) -> None:
        browser = self.browsers[number]
        ask = browser.program.pop(0)
        browser.began, browser.log = self.step, []
        node = self.nodes[ask.node]
        self.running[number] = node.loop.create_task(browser.ask(ask, node, self), name=f"browser {number}")
        node.loop.run()

    def _do_run(self, number: int) -> None:
        self.nodes[number].loop.run()

    def _do_exec(self, number: int) -> None:
        connection = self._connection(number)
        while not connection.server.execute(connection) and not self.scenario.fine:
            self.checks.register_past()

    def _do_deliver(self, number: int) -> None:
        node = self.nodes[number]
        connection = node.link.connection
        while not node.link.deliver() and not self.scenario.fine and connection is not None and connection.stream:
            pass

    def _do_connect(self, number: int) -> None:
        self.nodes[number].link.connect(self.primary)

    # What others want to know

    def record_of(self, key: SessionKey) -> Record | None:
        """What the store has under this key."""
        return self.primary.data.records.get(self.segment.record(key))

    def number(self) -> int:
        """One that was never used before."""
        self._numbers += 1
        return self._numbers

    def successor(self, key: SessionKey) -> RotationTarget:
        number = self.number()
        return RotationTarget(SessionKey(key.prefix, bytes(8) + (number + 1).to_bytes(8)), number + 1)

    def end(self) -> None:
        """Let all arrive, and time pass: nobody may wait for ever, and all nodes must show what the store has."""
        for _ in range(8):
            self.settle()
            self.upsets.step()
        self.settle()
        if not all(task.done() for task in self.running.values()):  # without a deadline, doubt lasts a minute (C-20)
            self.upsets.pass_time(60.0)
            self.settle()
        for number, task in self.running.items():
            if not task.done():
                raise Violation(f"the request of browser {number} never ends")
        for node in self.nodes:
            self._read_at_last(node)

    def _read_at_last(self, node: Node) -> None:
        if node.link.connection is not None and node.link.connection.mute:
            return
        for browser in self.browsers:
            there = self.record_of(browser.key)
            live = there is not None and not there.dead
            live = live and self.primary.data.scores.get(browser.key.digest, 0) > self.primary.now_ms()
            try:
                found = self._finish(node, node.cache.load(browser.key))
            except StoreUnavailable:
                continue
            if (found is not None) != live:
                raise Violation(f"node {node.number} does not find what the store has")
            if found is not None and there is not None and found.version != there.version:
                raise Violation(f"node {node.number} reads something else than the store has")

    def fingerprint(self) -> int:
        """The same for states from which the same can happen."""
        data = self.primary.data
        return hash(
            (
                self.time,
                tuple(sorted(self.left.items())),
                self.primary.replication_id,
                tuple(data.records.items()),
                tuple(sorted(data.scores.items())),
                tuple(sorted(data.members.items())),
                data.origin,
                tuple(sorted(data.strings.items())),
                tuple(sorted((name, len(each)) for name, each in self.primary.trackers.items())),
                len(self.primary.known),
                tuple(node.fingerprint() for node in self.nodes),
                tuple(each.fingerprint() for each in self.browsers),
                tuple(str(each.inbox) for each in self.ghosts),
            )
        )
