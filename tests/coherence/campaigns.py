"""Campaigns: what browsers do, and what is done to the servers meanwhile. Each ends in a history and what it breaks.

A seed decides everything but the timing of processes, so the same seed finds the same trouble in most runs.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any, NamedTuple

from tests.coherence import checkers
from tests.coherence.browser import Jar, Tab
from tests.coherence.checkers import Timeouts
from tests.coherence.cluster import LEASE, Cluster, cluster
from tests.coherence.history import History, Op, Violation, cache_hits

CONNECTED = 1.0
"""Seconds that a logout may take to be known everywhere while nothing is lost (S-60)."""


class Fault(StrEnum):
    """What befalls the links during a whole campaign."""

    DELAYS = "delays"
    """One push in a hundred is late."""
    REORDER = "reorder"
    """One push in ten is overtaken by later ones."""
    DROPS = "drops"
    """Now and then no push arrives at a node any more, for a while."""
    LATENCY = "latency"
    """What the store says takes long to one node, and what another one says takes long to the store."""
    CUTS = "cuts"
    """Now and then a connection is cut."""


class Plan(NamedTuple):
    """How much of what."""

    hops: int = 2000
    processes: int = 3
    seed: int = 0
    faults: frozenset[Fault] = frozenset()

    @property
    def rng(self) -> random.Random:
        return random.Random(self.seed)

    def in_order(self) -> Plan:
        """Without what no network does to one stream: a barrier rests on its order (fact 1)."""
        return self._replace(faults=self.faults - {Fault.REORDER, Fault.DELAYS})

    @property
    def bound(self) -> float:
        """How long a replaced state may still be shown."""
        return LEASE if Fault.DROPS in self.faults else min(CONNECTED, LEASE)


class Outcome(NamedTuple):
    """What a campaign found."""

    history: History
    violations: list[Violation]
    branches: Mapping[str, int] = {}
    """How often what happens seldom has happened: where it never did, the campaign has proved nothing about it."""

    @property
    def hits(self) -> int:
        return cache_hits(self.history)

    @property
    def summary(self) -> str:
        lags = sorted(lag * 1000 for lag, _ in checkers.lags(self.history))
        middle = f", half of them by {lags[len(lags) // 2]:.1f} ms, at most {lags[-1]:.0f} ms" if lags else ""
        lives = [life * 1000 for life in checkers.afterlives(self.history)]
        ended = (
            f"{len(lives)} sessions ended, served afterwards for {lives[len(lives) * 99 // 100]:.1f} ms (p99), "
            f"at most {lives[-1]:.0f} ms; "
            if lives
            else ""
        )
        unanswered = sum(event.status in {0, 503} for event in self.history)
        return (
            f"{len(self.history)} requests, {self.hits} from the near cache, {unanswered} without an answer; "
            f"{len(lags)} answers behind a commit{middle}; {ended}{len(self.violations)} violations"
        )


Campaign = Callable[[Plan], Coroutine[None, None, Outcome]]

MIX: dict[Op, int] = {
    Op.READ: 50,
    Op.WRITE: 32,
    Op.COMMIT: 5,
    Op.BUMP: 5,
    Op.REFRESH: 2,
    Op.SCRIBBLE: 2,
    Op.KEEP: 3,
    Op.ROTATE: 1,
}
SHARED_MIX: dict[Op, int] = {op: share for op, share in MIX.items() if op is not Op.ROTATE}


@asynccontextmanager
async def running(plan: Plan, **settings: Any) -> AsyncIterator[Cluster]:
    """The servers, with the plan's faults."""
    async with cluster(plan.processes, **settings) as servers:
        await harm_pushes(servers, plan)
        yield servers


async def branches_of(servers: Cluster) -> Mapping[str, int]:
    """What the nodes have counted of what happens seldom, in sum."""
    tab = Tab("", servers.paths, [])
    told = [await tab.ask(node) for node in range(len(servers.paths))]
    tab.close()
    return sum(map(Counter, told), Counter[str]())


async def harm_pushes(servers: Cluster, plan: Plan, *, only: int | None = None) -> None:
    """Heal the links, but for what befalls them all the time."""
    await servers.proxies.order("heal", only=only)
    if Fault.LATENCY in plan.faults:
        await servers.proxies.order("delay", 0.01, "to_client", only=0)
        await servers.proxies.order("delay", 0.01, "to_server", only=plan.processes - 1)
    if Fault.DELAYS in plan.faults:
        await servers.proxies.order("hold_pushes", 0.05, only=only, share=0.01, seed=plan.seed)
    if Fault.REORDER in plan.faults:
        await servers.proxies.order("reorder_pushes", 0.02, only=only, share=0.1, seed=plan.seed)


async def harm_now_and_then(servers: Cluster, plan: Plan, rng: random.Random) -> None:
    """Called before every hop: once in 300 a connection is cut, or its pushes are dropped for 100 hops or so."""
    chance, node = rng.random(), rng.randrange(plan.processes)
    if Fault.CUTS in plan.faults and chance < 1 / 300:
        await servers.proxies.order("end_connections", rng.choice(["close", "reset"]), only=node)
    elif Fault.DROPS in plan.faults and chance > 299 / 300:
        await servers.proxies.order("drop_pushes", only=node)
    elif Fault.DROPS in plan.faults and chance > 298 / 300:
        await harm_pushes(servers, plan)


async def wander(tab: Tab, servers: Cluster, plan: Plan, *, hops: int, mix: dict[Op, int]) -> None:
    """So many requests one after another, each to any node, and every other time to the same one again."""
    rng, node = random.Random(f"{plan.seed}/{tab.name}"), 0
    for _ in range(hops):
        await harm_now_and_then(servers, plan, rng)
        node = rng.choice([node, rng.randrange(plan.processes)])
        if rng.random() < 0.02:
            tab.jar.forget_watermark()
        op = rng.choices(list(mix), list(mix.values()))[0]
        await tab.send(node, op, seconds=0.002 if op is Op.SCRIBBLE else 0.0)


async def hops(plan: Plan) -> Outcome:
    """One browser, one request after another, across all nodes: K-01, K-04, K-08 for rotations, K-11, C-4."""
    history: History = []
    async with running(plan) as servers:
        tab = Tab("solo", servers.paths, history)
        await wander(tab, servers, plan, hops=plan.hops, mix=MIX)
        tab.close()
        branches = await branches_of(servers)
    found = [*checkers.sequential(history), *checkers.no_resurrection(history, plan.bound)]
    return Outcome(history, [*found, *checkers.bounded_staleness(history, plan.bound)], branches)


async def tabs(plan: Plan) -> Outcome:
    """Four browsers with cookies of their own on one session: each sees its own writes and never goes back."""
    history: History = []
    async with running(plan) as servers:
        await together(plan, servers, history, [None] * 4)
    return Outcome(history, [*checkers.sequential(history), *checkers.bounded_staleness(history, plan.bound)])


async def quiet(plan: Plan) -> Outcome:
    """Many sessions, each with a tab at every node: all write for a moment, then all only read.

    Whoever reads on finds the last state of all, although its watermark asks for no more than it has seen: here it is
    pushes that count, also after commits of one's own (fact 4), cold reads, refreshes and rotations.
    """
    history: History = []
    async with running(plan) as servers:
        sessions = range(max(4, plan.hops // 100))
        await asyncio.gather(*(write_and_fall_silent(servers, plan, history, f"q{number}") for number in sessions))
    found = [*checkers.sequential(history), *checkers.bounded_staleness(history, plan.bound)]
    return Outcome(history, [*found, *checkers.no_resurrection(history, plan.bound)])


async def write_and_fall_silent(servers: Cluster, plan: Plan, history: History, name: str) -> None:
    rng = random.Random(f"{plan.seed}/{name}")
    first = Tab(f"{name}-0", servers.paths, history)
    await first.send(0, Op.WRITE)
    rest = [Tab(f"{name}-{node}", servers.paths, history, first.jar.copy()) for node in range(1, plan.processes)]
    everybody = [first, *rest]
    for _ in range(rng.randrange(3, 12)):
        node = rng.randrange(plan.processes)
        op = rng.choice([Op.READ, Op.READ, Op.WRITE, Op.WRITE, Op.COMMIT, Op.BUMP, Op.REFRESH])
        await everybody[node].send(node, op)
    silent_from = time.monotonic()
    while time.monotonic() < silent_from + 1.3 * CONNECTED:
        for node, tab in enumerate(everybody):
            await harm_now_and_then(servers, plan, rng)
            await tab.send(node, Op.READ)
        await asyncio.sleep(0.05)
    for tab in everybody:
        tab.close()


async def regressed(plan: Plan) -> Outcome:
    """Four tabs at once on one jar, where the answer that comes last leaves its watermark, be it the older one.

    Such a browser is no single sequence of requests: only the lease bounds what it is shown.
    """
    history: History = []
    async with running(plan) as servers:
        jar = Jar()
        await together(plan, servers, history, [jar] * 4)
    return Outcome(history, [*checkers.always(history), *checkers.bounded_staleness(history, plan.bound)])


async def together(plan: Plan, servers: Cluster, history: History, jars: list[Jar | None]) -> None:
    """All tabs begin with one session and share the plan's hops."""
    first = Tab("t0", servers.paths, history, jars[0])
    await first.send(0, Op.WRITE)
    rest = [
        Tab(f"t{number}", servers.paths, history, jar or first.jar.copy()) for number, jar in enumerate(jars[1:], 1)
    ]
    everybody = [first, *rest]
    await asyncio.gather(
        *(wander(tab, servers, plan, hops=plan.hops // len(jars), mix=SHARED_MIX) for tab in everybody)
    )
    for tab in everybody:
        tab.close()


async def logout(plan: Plan) -> Outcome:
    """Again and again a session is ended on one node, or its id rotated, and polled on all every 5 ms (S-54, S-60)."""
    return await end_sessions(plan, plan.bound, (Op.INVALIDATE, Op.ROTATE))


async def barrier(plan: Plan) -> Outcome:
    """The same where ending a session waits for the barrier: not served once `invalidate` has returned (C-15, T-05)."""
    return await end_sessions(plan.in_order(), 0, (Op.INVALIDATE,), invalidate_barrier=True)


async def end_sessions(plan: Plan, bound: float, ways: Sequence[Op], **settings: Any) -> Outcome:
    history: History = []
    async with running(plan, **settings) as servers:
        rng = plan.rng
        for trial in range(max(1, plan.hops // 200)):
            await end_while_polled(
                servers, plan, history, f"l{trial}", node=rng.randrange(plan.processes), way=rng.choice(ways)
            )
    return Outcome(history, [*checkers.no_resurrection(history, bound), *checkers.always(history)])


async def end_while_polled(servers: Cluster, plan: Plan, history: History, name: str, *, node: int, way: Op) -> None:
    owner = Tab(name, servers.paths, history)
    await harm_pushes(servers, plan)
    await owner.send(node, Op.WRITE)
    over = asyncio.Event()
    watchers = [Tab(f"{name}-{place}", servers.paths, history, owner.jar.copy()) for place in range(plan.processes)]
    polls = [asyncio.ensure_future(poll(tab, place, over)) for place, tab in enumerate(watchers)]
    await until(lambda: all(hits_of(history, tab.name) for tab in watchers))
    if Fault.DROPS in plan.faults:
        await servers.proxies.order("drop_pushes")
    await owner.send(node, way)
    over.set()
    await asyncio.gather(*polls)
    for tab in (owner, *watchers):
        tab.close()


async def poll(tab: Tab, node: int, over: asyncio.Event) -> None:
    """Read every 5 ms, after the end until the session is found to be gone."""
    while True:
        event = await tab.send(node, Op.READ)
        if over.is_set() and event.status == 200 and event.loaded is None:
            return
        await asyncio.sleep(0.005)


async def slow_writers(plan: Plan) -> Outcome:
    """Writers that loaded a session before its end write after it, on all nodes: K-08, S-62."""
    history: History = []
    async with running(plan) as servers:
        rng = plan.rng
        for trial in range(max(1, plan.hops // 100)):
            await end_while_written(servers, plan, history, rng, f"w{trial}")
        branches = await branches_of(servers)
    found = [*checkers.no_resurrection(history, plan.bound), *checkers.always(history), *told(history)]
    return Outcome(history, found, branches)


async def end_while_written(servers: Cluster, plan: Plan, history: History, rng: random.Random, name: str) -> None:
    owner = Tab(name, servers.paths, history)
    await owner.send(rng.randrange(plan.processes), Op.WRITE)
    writers = [Tab(f"{name}-{number}", servers.paths, history, owner.jar.copy()) for number in range(6)]
    writes = [
        asyncio.ensure_future(tab.send(number % plan.processes, Op.SLOW_WRITE, seconds=rng.uniform(0, 0.1)))
        for number, tab in enumerate(writers)
    ]
    await asyncio.sleep(rng.uniform(0, 0.1))
    await owner.send(rng.randrange(plan.processes), Op.INVALIDATE)
    await asyncio.gather(*writes)
    for node in range(plan.processes):
        await writers[node].send(node, Op.READ)
    for tab in (owner, *writers):
        tab.close()


def told(history: History) -> list[Violation]:
    """A writer that began before the end and finished after it is told, by 409, that the session is gone."""
    over = checkers.endings(history)
    return [
        Violation("K-08", f"answered {event.status} although the session ended before its commit", event)
        for event in history
        if event.op is Op.SLOW_WRITE and event.presented in over and event.status not in {200, 409, 503}
    ]


IDLE = Timeouts(idle=2.0, absolute=6.0, touch=0.2)


async def deadlines(plan: Plan) -> Outcome:
    """Sessions with short timeouts, visited at random: K-09."""
    history: History = []
    settings = {"max_inactive_interval": "2s", "absolute_timeout": "6s", "touch_interval": "0.2s"}
    async with running(plan, **settings) as servers:
        visitors = [Tab(f"d{number}", servers.paths, history) for number in range(max(4, plan.hops // 50))]
        await asyncio.gather(
            *(visit(tab, plan, random.Random(f"{plan.seed}/{tab.name}"), seconds=8.0) for tab in visitors)
        )
        for tab in visitors:
            tab.close()
    return Outcome(history, [*checkers.deadlines(history, IDLE), *checkers.always(history)])


async def visit(tab: Tab, plan: Plan, rng: random.Random, seconds: float) -> None:
    """Come again after moments, or after about the idle timeout."""
    until = time.monotonic() + seconds
    await tab.send(0, Op.WRITE)
    while time.monotonic() < until:
        await asyncio.sleep(rng.choice([rng.uniform(0, 0.2), rng.uniform(0.2, 1.0), rng.uniform(1.2, 3.6)]))
        op = rng.choices([Op.READ, Op.WRITE], [5, 1])[0]
        await tab.send(rng.randrange(plan.processes), op)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


def hits_of(history: History, client: str) -> int:
    """The client's requests that were answered out of a node's memory."""
    return cache_hits(event for event in history if event.client == client)
