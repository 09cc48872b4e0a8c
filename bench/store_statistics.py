"""The work of the store by its own statistics: commands, bytes and CPU time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Self

from redis import Redis

__all__ = ["Work"]

_OF_MEASURING = {"info", "hello", "client|setinfo", "auth", "config|get"}


@dataclass(frozen=True, slots=True)
class Work:
    """The work of the store since its start, or between two readings."""

    commands: Counter[str]
    """Calls by name, those within scripts included, without those of the readings themselves."""
    bytes_in: int
    bytes_out: int
    cpu: float
    """Seconds."""

    @classmethod
    def so_far(cls, store_url: str) -> Self:
        with Redis.from_url(store_url) as store:
            everything = store.info("everything")
        calls = {
            name.removeprefix("cmdstat_"): each["calls"]
            for name, each in everything.items()
            if name.startswith("cmdstat_")
        }
        return cls(
            Counter({name: count for name, count in calls.items() if name not in _OF_MEASURING}),
            everything["total_net_input_bytes"],
            everything["total_net_output_bytes"],
            everything["used_cpu_sys"] + everything["used_cpu_user"],
        )

    def since(self, earlier: Work) -> Work:
        return Work(
            self.commands - earlier.commands,
            self.bytes_in - earlier.bytes_in,
            self.bytes_out - earlier.bytes_out,
            self.cpu - earlier.cpu,
        )
