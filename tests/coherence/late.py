"""Campaigns about what arrives too late, or not at all: changes past their deadlines, pushes, and answers to rotations.

C-20: what was answered 503 is never carried out after that, and undoes nothing newer. C-22: pushes that were lost for
however short a time leave no stale copy. C-23: a rotation of unknown outcome costs no session. C-26: a node
that hears nothing any more holds a barrier up for its lease, and not for as long as it can be heard.
"""

from __future__ import annotations

import asyncio
import random

from tests.coherence import checkers
from tests.coherence.browser import Tab
from tests.coherence.campaigns import Fault, Outcome, Plan, branches_of, end_while_polled, running, together
from tests.coherence.cluster import LEASE, Cluster, forked_cluster
from tests.coherence.history import Event, History, Op, Violation

SHORT = "400ms"
"""The deadline of a request's work at the store in these campaigns."""
LATE = 0.7
"""Seconds that bytes are held: beyond that deadline."""
CHANGES = [Op.WRITE, Op.WRITE, Op.WRITE, Op.COMMIT, Op.BUMP, Op.ROTATE, Op.ROTATE, Op.LOGIN, Op.INVALIDATE]
WAYS = [("to_server",), ("to_client",), ()]
"""In which directions bytes are held; none stands for both."""


async def late(plan: Plan) -> Outcome:
    """Changes that are held on their way to the store, or whose answers are, past their deadlines; newer ones win."""
    history: History = []
    async with running(plan, nonstop_timeout=SHORT) as servers:
        for trial in range(max(1, plan.hops // 20)):
            await overtake(servers, plan, history, trial)
        branches = await branches_of(servers)
    return Outcome(history, [*checkers.sequential(history), *counted(history)], branches)


async def overtake(servers: Cluster, plan: Plan, history: History, trial: int) -> None:
    """One change through a node whose bytes are held, then others through the others, then the bytes arrive."""
    rng = random.Random(f"{plan.seed}/{trial}")
    tab = Tab(f"late{trial}", servers.paths, history)
    victim = rng.randrange(plan.processes)
    others = [node for node in range(plan.processes) if node != victim]
    await until_answered(tab, rng.choice(others), Op.WRITE)
    await until_answered(tab, victim, rng.choice([Op.READ, Op.WRITE]))
    await servers.proxies.order("hold", *rng.choice(WAYS), only=victim)
    await tab.send(victim, rng.choice(CHANGES))
    for _ in range(rng.randrange(1, 4)):
        await tab.send(rng.choice(others), rng.choice([Op.WRITE, Op.WRITE, Op.READ, Op.BUMP]))
    if rng.random() < 0.5:
        await asyncio.sleep(LATE)
    await servers.proxies.order("heal", only=victim)
    for _ in range(8):
        await tab.send(rng.randrange(plan.processes), rng.choice([Op.READ, Op.READ, Op.REFRESH, Op.WRITE, Op.BUMP]))
    await asyncio.sleep(0.02)
    for node in range(plan.processes):
        await until_answered(tab, node, Op.READ)
    tab.close()


async def until_answered(tab: Tab, node: int, op: Op) -> Event:
    """Ask until there is an answer: the link of a node may still be on its way back."""
    async with asyncio.timeout(30):
        while True:
            event = await tab.send(node, op)
            if event.status not in {0, 503}:
                return event
            await asyncio.sleep(0.05)


def counted(history: History) -> list[Violation]:
    """K-03: a counter shows every increment that was acknowledged, and none but those that may have been carried out.

    Holds for clients that send one request after another with cookies of their own, for as long as their session lives.
    """
    found = []
    for events in checkers.by_client(history):
        least = most = 0
        for event in events:
            if event.status != 200:
                most += event.op is Op.BUMP and event.status in {0, 503}
                continue
            if event.loaded is None:
                least = most = 0
            least += event.op is Op.BUMP
            most += event.op is Op.BUMP
            shown = event.content.get("count", 0)
            if not least <= shown <= most:
                found.append(Violation("K-03", f"counted {shown}, and between {least} and {most} was added", event))
            least = shown
    return found


async def pauses(plan: Plan) -> Outcome:
    """The store stands still for longer than a request waits, while ids are rotated and renewed; no session is lost."""
    history: History = []
    settings = {"nonstop_timeout": SHORT, "renew_interval": "1s", "renew_grace": "0.5s"}
    async with running(plan, **settings) as servers:
        tabs = [Tab(f"p{number}", servers.paths, history) for number in range(max(6, plan.hops // 100))]
        rng = plan.rng
        for tab in tabs:
            await until_answered(tab, rng.randrange(plan.processes), Op.WRITE)
        for _ in range(max(2, plan.hops // 200)):
            await asyncio.sleep(rng.uniform(0.3, 1.1))
            changing = [
                asyncio.ensure_future(
                    tab.send(rng.randrange(plan.processes), rng.choice([Op.ROTATE, Op.READ, Op.WRITE]))
                )
                for tab in tabs
            ]
            servers.server.pause()
            await asyncio.sleep(3 * LATE)
            servers.server.resume()
            await asyncio.gather(*changing)
            for tab in tabs:
                for _ in range(3):
                    await until_answered(tab, rng.randrange(plan.processes), rng.choice([Op.READ, Op.WRITE]))
        await asyncio.sleep(2.5)  # whatever grace there was is over
        for tab in tabs:
            await until_answered(tab, rng.randrange(plan.processes), Op.READ)
            tab.close()
        branches = await branches_of(servers)
    return Outcome(history, checkers.sequential(history), branches)


async def lapses(plan: Plan) -> Outcome:
    """Pushes are lost for moments, within one heartbeat and across several, and arrive again; then all only read."""
    history: History = []
    async with running(plan) as servers:
        for trial in range(max(1, plan.hops // 1000)):
            await lose_a_moment(servers, plan, history, trial)
        branches = await branches_of(servers)
    found = [*checkers.sequential(history), *checkers.bounded_staleness(history, LEASE)]
    return Outcome(history, [*found, *checkers.no_resurrection(history, LEASE)], branches)


async def lose_a_moment(servers: Cluster, plan: Plan, history: History, trial: int) -> None:
    """Many sessions are written at one node while another one, which has copies of them, is told nothing."""
    rng = random.Random(f"{plan.seed}/{trial}")
    here, there = rng.sample(range(plan.processes), 2)
    writers = [Tab(f"l{trial}-{number}", servers.paths, history) for number in range(40)]
    for tab in writers:
        await until_answered(tab, here, Op.WRITE)
    readers = [Tab(f"{tab.name}-r", servers.paths, history, tab.jar.copy()) for tab in writers]
    for tab in readers:
        await until_answered(tab, there, Op.READ)
    await asyncio.sleep(rng.uniform(0, 0.3))  # anywhere between two heartbeats
    await servers.proxies.order("drop_pushes", only=there)
    for tab in writers[:30]:
        await tab.send(here, Op.WRITE)
    if rng.random() < 0.5:  # beyond a heartbeat: what is read meanwhile is written to again, untold
        await asyncio.sleep(0.7)
        for tab in (*readers, *writers[:30]):
            await tab.send(here if tab in writers else there, Op.WRITE if tab in writers else Op.READ)
    await servers.proxies.order("heal", only=there)
    until = asyncio.get_running_loop().time() + 1.6 * LEASE
    while asyncio.get_running_loop().time() < until:
        for tab in readers:
            await tab.send(there, Op.READ)
    for tab in (*writers, *readers):
        tab.close()


async def forked(plan: Plan) -> Outcome:
    """Workers that one process has forked off after it had made the application; a logout waits for all of them."""
    history: History = []
    plan = plan.in_order()
    silent = plan._replace(faults=frozenset({Fault.DROPS}))
    async with forked_cluster(plan.processes, invalidate_barrier=True) as servers:
        rng = plan.rng
        for trial in range(max(1, plan.hops // 400)):
            node, how = rng.randrange(plan.processes), rng.choice([plan, silent])
            await end_while_polled(servers, how, history, f"f{trial}", node=node, way=Op.INVALIDATE)
        await servers.proxies.order("heal")
        await together(plan, servers, history, [None] * 4)
        branches = await branches_of(servers)
    return Outcome(history, [*checkers.no_resurrection(history, 0), *checkers.sequential(history)], branches)


async def deaf(plan: Plan) -> Outcome:
    """A node hears nothing any more, and its heartbeats still arrive: a logout elsewhere waits for its lease (C-26)."""
    history: History = []
    found: list[Violation] = []
    async with running(plan, invalidate_barrier=True, nonstop_timeout="2.5s") as servers:
        for trial in range(max(1, plan.hops // 1000)):
            tab = Tab(f"deaf{trial}", servers.paths, history)
            await until_answered(tab, 1, Op.WRITE)
            await until_answered(tab, 0, Op.READ)
            await servers.proxies.order("drop", "to_client", only=0)
            event = await tab.send(1, Op.INVALIDATE)
            if event.status != 200:
                found.append(Violation("C-26", f"a logout was answered {event.status}", event))
            await servers.proxies.order("heal", only=0)
            await servers.proxies.order("end_connections", only=0)
            tab.close()
    return Outcome(history, [*found, *checkers.no_resurrection(history, 0)])
