"""Sessions for the tests of the off-heap tier, and tiers on a clock that a test sets."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from wsgessions.cache.off_heap import OffHeap
from wsgessions.record import PrincipalBinding, Seen, SessionKey, SessionRecord, StoredAttributes

SMALL = 64 * 1024
INCARNATION = 2**64 - 3
ANY = Seen(INCARNATION, 0)


def key_of(number: int) -> SessionKey:
    return SessionKey(number % 4096, blake2b(number.to_bytes(8), digest_size=16).digest())


def state(number: int, version: int = 1, *, size: int = 100) -> SessionRecord:
    """A state whose every part follows from its number and version, so that a mixture of two can be told."""
    seed = number * 1_000_003 + version
    return SessionRecord(
        key=key_of(number),
        incarnation=INCARNATION,
        version=version,
        created_ms=seed,
        interval_ms=version % 1000,
        deadline_ms=seed + 1,
        expires_ms=seed + 2,
        attributes=StoredAttributes({f"name_{n}": bytes([(seed + n) % 256]) * (size // 4 + n) for n in range(4)}),
        rotated=version // 2,
        binding=PrincipalBinding(f"имя {number:03}", version // 3) if number % 2 else None,
    )


@dataclass
class Clock:
    """Seconds, as a test says."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Host:
    """A machine on which workers open tiers for one store."""

    base: Path
    clock: Clock

    def tier(self, *, max_bytes: int = SMALL, identity: str = "store", lease: float = 10.0) -> OffHeap:
        opened = OffHeap(max_bytes, identity, directory=self.base, clock=self.clock)
        opened.renew(self.clock.now + lease)
        return opened

    def look(self, *tiers: OffHeap, lease: float = 10.0) -> None:
        """Time goes by, and they look for each other."""
        self.clock.now += 1.5
        for tier in tiers:
            tier.renew(self.clock.now + lease)

    def files(self) -> list[Path]:
        return sorted(path for path in self.base.glob("*/*") if path.is_file())
