"""A process to be killed in mid-work: ``python -m tests.stores.valkey.killed_program URL NAMESPACE NUMBER WORK``.

It logs Ada in so many times and says so, waits for a line, and then does its work: ``logins``, so many again, or
``logouts`` of all the first ones.
"""

from __future__ import annotations

import asyncio
import sys

from tests.stores.valkey.shared_server import started, store_at
from wsgessions.testing.stores.principals import bound


async def main(url: str, namespace: str, number: int, work: str) -> None:
    async with started(store_at(url, namespace=namespace)) as store:
        records = await asyncio.gather(*(bound(store, "ada") for _ in range(number)))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        if work == "logins":
            await asyncio.gather(*(bound(store, "ada") for _ in range(number)))
        else:
            await asyncio.gather(*(store.delete(record.key) for record in records))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
