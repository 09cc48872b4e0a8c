"""What the inspector box shows of a session, as text ready for the page. The id is not among it: it is a credential."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from wsgessions import Session

__all__ = ["Inspection", "Sent", "inspect", "quantity_of_bytes"]

_SERVED_HOW: Final = {
    "new": "nobody presented one",
    "store": "one round trip",
    "near-cache": "no round trip",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """What this server's last commit of the session sent, beside what a write of the whole session would have sent."""

    sent: int
    whole: int
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def share(self) -> float:
        """Bytes sent in per cent of the whole session; at least as much as can be seen."""
        return round(min(100.0, max(0.8, 100 * self.sent / max(self.whole, 1))), 1)


@dataclass(frozen=True, slots=True)
class Inspection:
    """One session as this server sees it now."""

    ref: str | None
    """The handle that people may see; None for a session that has not been stored."""
    version: int
    served_from: str
    served_how: str
    last: Sent | None
    """None if this server has not committed this session lately."""
    created: str
    last_access: str
    expires: str


def inspect(session: Session) -> Inspection:
    """Look at a session without changing it."""
    source = session.served_from.value
    return Inspection(
        ref=session.ref,
        version=session.version,
        served_from=source,
        served_how=_SERVED_HOW[source],
        last=_last_commit(session),
        created=_clock(session.created_at),
        last_access=_clock(session.last_accessed_at),
        expires=_clock(session.expires_at),
    )


def quantity_of_bytes(number: int) -> str:
    """``"41 B"``, ``"1.8 kB"``."""
    kilobytes = number / 1000
    return f"{number} B" if kilobytes < 1 else f"{kilobytes:.1f} kB"


def _last_commit(session: Session) -> Sent | None:
    last = session.last_commit
    return last and Sent(last.bytes_sent, last.bytes_whole, tuple(last.changed), tuple(last.removed))


def _clock(instant: datetime | None) -> str:
    if instant is None:
        return ""
    local = instant.astimezone()
    if abs(datetime.now(UTC) - instant) < timedelta(hours=12):
        return f"{local:%H:%M:%S}"
    return f"{local:%Y-%m-%d %H:%M}"
