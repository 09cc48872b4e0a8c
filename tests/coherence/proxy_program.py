"""The fault proxies of a campaign, in a process of their own so that they share no event loop with what they disturb.

``python -m tests.coherence.proxy_program UPSTREAM...`` prints the ports, one proxy for each upstream, then obeys
orders, one a line, as JSON: ``[proxies, method, arguments, options]``. It answers each with the counts of all proxies.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

from wsgessions.testing.faults.proxies import Direction, Ending, FaultProxy


def say(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def meant(argument: Any) -> Any:
    """Names of directions and endings stand for these."""
    enums = {each.value: each for each in (*Direction, *Ending)}
    return enums.get(argument, argument) if isinstance(argument, str) else argument


async def main(upstreams: list[str]) -> None:
    async with AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(FaultProxy(upstream, watch_pushes=True)) for upstream in upstreams]
        say([proxy.port for proxy in proxies])
        while line := await asyncio.to_thread(sys.stdin.readline):
            chosen, method, arguments, options = json.loads(line)
            for place in chosen:
                result = getattr(proxies[place], method)(*map(meant, arguments), **options)
                if asyncio.iscoroutine(result):
                    await result
            say([asdict(proxy.counts) for proxy in proxies])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
