"""The same world, driven by hypothesis: it chooses the requests too, and shrinks what it finds to a short schedule."""

from __future__ import annotations

import logging
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.coherence.model.browser import Ask, Kind
from tests.coherence.model.world import Scenario, World
from wsgessions.store.contract import NEVER

_DEPTH = int(os.environ.get("WSGESSIONS_MODEL_DEPTH", "1"))
_UPSETS = {
    "tick": 2,
    "step": 6,
    "cut": 2,
    "cancel": 2,
    "flushall": 1,
    "evict": 2,
    "failover": 1,
    "demote": 1,
    "resync": 1,
    "mute": 1,
    "unmute": 1,
    "late": 2,
    "ghost": 2,
    "emptied": 1,
    "swapped": 1,
}


class Cluster(RuleBasedStateMachine):
    """Two nodes, and three browsers of which two are tabs of one session and all begin with it."""

    world: World

    @initialize(
        fine=st.booleans(),
        lost=st.integers(0, 2),
        remembered=st.sampled_from([1, 8]),
        patience=st.sampled_from([NEVER, 0.4]),
        forked=st.booleans(),
    )
    def begin(self, fine: bool, lost: int, remembered: int, patience: float, forked: bool) -> None:
        logging.disable(logging.CRITICAL)
        scenario = Scenario(
            ((), (), ()), _UPSETS, fine=fine, lost=lost, remembered=remembered, patience=patience, forked=forked
        )
        self.world = World(scenario)
        self.world.begin()

    @rule(browser=st.integers(0, 2), node=st.integers(0, 1), kind=st.sampled_from(Kind))
    def ask(self, browser: int, node: int, kind: Kind) -> None:
        self.world.browsers[browser].program.append(Ask(kind, node))

    @rule(choice=st.integers(0, 100))
    @precondition(lambda self: self.world.enabled())
    def act(self, choice: int) -> None:
        words = self.world.enabled()
        self.world.do(words[choice % len(words)])

    @rule()
    def settle(self) -> None:
        self.world.settle()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.end()
        logging.disable(logging.NOTSET)


TestCluster = Cluster.TestCase
TestCluster.settings = settings(
    max_examples=25 * _DEPTH,
    stateful_step_count=50,
    deadline=None,
    derandomize=_DEPTH == 1,
    suppress_health_check=list(HealthCheck),
)
