"""What a fault proxy counts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ProxyCounts"]


@dataclass(slots=True)
class ProxyCounts:
    """Counters since the start of the proxy."""

    connections: int = 0
    bytes_to_server: int = 0
    bytes_to_client: int = 0
    pushes_seen: int = 0
    """Push messages that the server sent; the next two count some of these. All stay 0 without ``watch_pushes``."""
    pushes_held: int = 0
    pushes_dropped: int = 0

    def add_bytes(self, number: int, *, to_server: bool) -> None:
        if to_server:
            self.bytes_to_server += number
        else:
            self.bytes_to_client += number
