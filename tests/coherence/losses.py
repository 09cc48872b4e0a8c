"""Campaigns in which the store loses what it had, a network is split, or a process dies in the middle of a logout.

C-25: a store that was emptied, swapped or restarted is noticed, and processes that start then agree with the others.
C-20: what a network holds back changes nothing when it arrives after all. T-13: a death leaves no entries behind.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from tests.coherence import checkers
from tests.coherence.browser import Tab
from tests.coherence.campaigns import Outcome, Plan, branches_of, running
from tests.coherence.cluster import LEASE, Cluster, start_node
from tests.coherence.history import History, Op, Violation
from tests.coherence.late import CHANGES, LATE, SHORT, counted, until_answered
from tests.coherence.upsets import UPSETS, command

# -- The store is emptied ----------------------------------------------------------------------------------------------


WAYS = ("flush", "swap", "restart")


async def emptied(plan: Plan) -> Outcome:
    """The store loses its data in one way or another, and a process starts that has never seen the data before."""
    history: History = []
    found: list[Violation] = []
    branches: Counter[str] = Counter()
    for trial in range(max(1, plan.hops // 4000)):
        async with running(plan) as servers, AsyncExitStack() as stack:
            way = WAYS[(plan.seed + trial) % len(WAYS)]
            rng = random.Random(f"{plan.seed}/{trial}")
            await lose_everything(servers, plan, history, way, f"e{trial}")
            await add_node(stack, servers)
            found += await hop_on(servers, history, rng, f"e{trial}-after")
            branches.update(await branches_of(servers))
            branches[f"emptied by {way}"] += 1
    found += checkers.sequential(history)
    return Outcome(history, [*found, *checkers.no_resurrection(history, LEASE)], branches)


async def lose_everything(servers: Cluster, plan: Plan, history: History, way: str, name: str) -> None:
    """While every node has copies; they are read on until the lease is over."""
    tabs = [Tab(f"{name}-{number}", servers.paths, history) for number in range(2 * plan.processes)]
    for tab in tabs:
        await until_answered(tab, 0, Op.WRITE)
    for node in range(plan.processes):
        for tab in tabs:
            await until_answered(tab, node, Op.READ)
    await UPSETS[way](servers, history)
    until = time.monotonic() + 1.5 * LEASE
    while time.monotonic() < until:
        for number, tab in enumerate(tabs):
            await tab.send(number % plan.processes, Op.READ)
        await asyncio.sleep(0.01)
    for tab in tabs:
        tab.close()


async def add_node(stack: AsyncExitStack, servers: Cluster) -> None:
    """One more, behind the first proxy, with the segments left to what the store says."""
    path = str(Path(servers.paths[0]).with_name(f"n{len(servers.paths)}"))
    url = f"valkey://127.0.0.1:{servers.proxies.ports[0]}"
    servers.nodes.append(await start_node(stack, path, url, {}))
    servers.paths.append(path)


async def hop_on(servers: Cluster, history: History, rng: random.Random, name: str) -> list[Violation]:
    """New sessions, on the old nodes and the new one in turn: none is lost, and no watermark is a stranger's."""
    before = await branches_of(servers)
    tabs = [Tab(f"{name}-{number}", servers.paths, history) for number in range(6)]
    for _ in range(30):
        for tab in tabs:
            await until_answered(tab, rng.randrange(len(servers.paths)), rng.choice([Op.READ, Op.READ, Op.WRITE]))
    after = await branches_of(servers)
    for tab in tabs:
        tab.close()
    strange = after["forged_watermarks"] - before["forged_watermarks"]
    what = f"{strange} watermarks that one node had made were forgeries to another one"
    return [Violation("C-25", what, history[-1])] if strange else []


# -- The network is split ----------------------------------------------------------------------------------------------


async def partitions(plan: Plan) -> Outcome:
    """As `late`, with a network between the first node and the store that is split, and carries on where it was.

    Where the machine allows no network namespaces, the proxy holds the bytes, and the table of branches says so.
    """
    history: History = []
    async with AsyncExitStack() as stack:
        if namespaces_are_allowed():
            servers, network = await stack.enter_async_context(split_off(plan))
            how = "partitions of a network namespace"
        else:
            servers = await stack.enter_async_context(running(plan, nonstop_timeout=SHORT))
            network, how = None, "partitions by the proxy alone"
        trials = max(1, plan.hops // 20)
        for trial in range(trials):
            await split_and_heal(servers, network, plan, history, trial)
        branches = Counter(await branches_of(servers)) + Counter({how: trials})
    return Outcome(history, [*checkers.sequential(history), *counted(history)], branches)


async def split_and_heal(servers: Cluster, network: Network | None, plan: Plan, history: History, trial: int) -> None:
    rng = random.Random(f"{plan.seed}/{trial}")
    tab = Tab(f"split{trial}", servers.paths, history)
    others = range(1, plan.processes)
    await until_answered(tab, rng.choice(others), Op.WRITE)
    await until_answered(tab, 0, rng.choice([Op.READ, Op.WRITE]))
    await (network.split() if network else servers.proxies.order("hold", only=0))
    await tab.send(0, rng.choice(CHANGES))
    for _ in range(rng.randrange(1, 4)):
        await tab.send(rng.choice(others), rng.choice([Op.WRITE, Op.WRITE, Op.READ, Op.BUMP]))
    if rng.random() < 0.5:
        await asyncio.sleep(LATE)
    await (network.heal() if network else servers.proxies.order("heal", only=0))
    for _ in range(8):
        await tab.send(rng.randrange(plan.processes), rng.choice([Op.READ, Op.READ, Op.REFRESH, Op.WRITE, Op.BUMP]))
    await until_answered(tab, 0, Op.READ)
    for _ in range(3):
        await tab.send(rng.randrange(plan.processes), rng.choice([Op.READ, Op.REFRESH]))
    tab.close()


class Network:
    """A network namespace with nothing in it but a loopback device; to take that down splits it."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def split(self) -> None:
        """Nothing gets through, and neither side is told."""
        await asyncio.to_thread(ip, "-n", self.name, "link", "set", "lo", "down")

    async def heal(self) -> None:
        """What was sent meanwhile is sent again by TCP, and arrives."""
        await asyncio.to_thread(ip, "-n", self.name, "link", "set", "lo", "up")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def network() -> Iterator[Network]:
    made = Network(f"wsg{os.getpid()}")
    ip("netns", "add", made.name)
    try:
        ip("-n", made.name, "link", "set", "lo", "up")
        yield made
    finally:
        ip("netns", "del", made.name)


def namespaces_are_allowed() -> bool:
    """Whether this process may make network namespaces: tried, since there are many ways to be forbidden."""
    if shutil.which("ip") is None:
        return False
    try:
        with network():
            return True
    except subprocess.CalledProcessError:
        return False


PORT = 6390
"""Of the server, in the network that can be split."""


@asynccontextmanager
async def split_off(plan: Plan) -> AsyncIterator[tuple[Cluster, Network]]:
    """A cluster whose first node reaches the server through a network that can be split, and the others past it."""
    with network() as made:
        options = ("--bind", "127.0.0.1", "--port", str(PORT))
        async with running(plan, options=options, within=made.name, nonstop_timeout=SHORT) as servers:
            await servers.nodes[0].close()
            async with AsyncExitStack() as stack:
                url = f"valkey://127.0.0.1:{PORT}"
                settings = {"nonstop_timeout": SHORT}
                servers.nodes[0] = await start_node(stack, servers.paths[0], url, settings, within=made.name)
                yield servers, made


# -- A process dies in the middle of a logout --------------------------------------------------------------------------

IDLE = 6.0
"""The idle timeout, in seconds; within it nothing of the dead process is left."""
DEVICES = 30
"""Sessions of one principal."""


async def killed(plan: Plan) -> Outcome:
    """A logout everywhere is cut short by the death of its process, and finished by another one."""
    history: History = []
    found: list[Violation] = []
    trials = max(1, plan.hops // 500)
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(running(plan, max_inactive_interval=f"{IDLE}s"))
        for trial in range(trials):
            rng = random.Random(f"{plan.seed}/{trial}")
            found += await die_in_mid_logout(servers, history, rng, f"k{trial}")
            await revive(stack, servers)
        await asyncio.sleep(IDLE)
        left = await entries_left(servers)
        if left:
            found.append(Violation("T-13", f"{left} entries are left in the indexes of principals", history[-1]))
        branches = Counter(await branches_of(servers)) + Counter({"killed in mid-logout": trials})
    return Outcome(history, [*found, *checkers.sequential(history)], branches)


async def die_in_mid_logout(servers: Cluster, history: History, rng: random.Random, name: str) -> list[Violation]:
    tabs = [Tab(f"{name}/{number}", servers.paths, history) for number in range(DEVICES)]
    await asyncio.gather(*(until_answered(tab, 1, Op.LOGIN) for tab in tabs))
    operator = Tab(f"{name}/operator", servers.paths, history)
    ending = asyncio.ensure_future(operator.send(0, Op.LOGOUT_ALL))
    await asyncio.sleep(rng.uniform(0, 0.03))
    servers.nodes[0].signal(signal.SIGKILL)
    await ending
    operator.close()
    survivor = Tab(f"{name}/survivor", servers.paths, history)
    await until_answered(survivor, 1, Op.LOGOUT_ALL)
    await asyncio.sleep(LEASE)
    seen = [await until_answered(tab, rng.choice([1, 2]), Op.READ) for tab in tabs]
    for tab in (survivor, *tabs):
        tab.close()
    return [Violation("K-08", "served after all its principal's sessions were ended", e) for e in seen if e.loaded]


async def revive(stack: AsyncExitStack, servers: Cluster) -> None:
    """Another process takes the place of the one that died."""
    await servers.nodes[0].close()
    url = f"valkey://127.0.0.1:{servers.proxies.ports[0]}"
    servers.nodes[0] = await start_node(stack, servers.paths[0], url, {"max_inactive_interval": f"{IDLE}s"})


async def entries_left(servers: Cluster) -> int:
    """In all indexes of principals."""
    path = servers.server.path
    indexes = [name for name in await command(path, "KEYS", "*") if b"}:p:" in name]
    return sum([await command(path, "ZCARD", name) for name in indexes])


# -- A request that comes with the id of before a login ----------------------------------------------------------------


async def logins(plan: Plan) -> Outcome:
    """One tab logs in, and another one of the same browser had sent a request with the old id; its answer is last."""
    history: History = []
    found: list[Violation] = []
    async with running(plan) as servers:
        rng = plan.rng
        for trial in range(max(2, plan.hops // 8)):
            tab = Tab(f"in{trial}", servers.paths, history)
            await until_answered(tab, rng.randrange(plan.processes), Op.WRITE)
            other = Tab(f"in{trial}-late", servers.paths, history, tab.jar.copy(), into=tab.jar)
            login = await until_answered(tab, rng.randrange(plan.processes), Op.LOGIN)
            for _ in range(rng.randrange(1, 4)):
                await other.send(rng.randrange(plan.processes), rng.choice([Op.WRITE, Op.READ, Op.BUMP]))
            after = await until_answered(tab, rng.randrange(plan.processes), Op.READ)
            if after.loaded != login.incarnation:
                found.append(Violation("C-24", "a late request replaced the login in the jar", after))
            tab.close()
            other.close()
        branches = await branches_of(servers)
    return Outcome(history, [*found, *checkers.always(history)], branches)
