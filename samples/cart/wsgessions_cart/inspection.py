"""The texts of the inspector box about a session. They do not contain the id: it is a credential."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from wsgessions import Session

__all__ = ["Inspection", "Sent", "inspect", "quantity_of_bytes"]

_SERVED_HOW: Final = {
    "new": "the request had none",
    "store": "one round trip",
    "near-cache": "no round trip",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """The bytes of this server's last commit of the session, compared with a write of the whole session."""

    sent: int
    whole: int
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def share(self) -> float:
        """Bytes sent in per cent of the whole session, with a visible minimum."""
        return round(min(100.0, max(0.8, 100 * self.sent / max(self.whole, 1))), 1)


@dataclass(frozen=True, slots=True)
class Inspection:
    """One session as this server sees it now."""

    ref: str | None
    """The public name of the session; None if it has not been stored."""
    version: int
    served_from: str
    served_how: str
    last: Sent | None
    """None if this server has not committed this session lately."""
    created: str
    last_access: str
    expires: str


def inspect(session: Session) -> Inspection:
    """Read a session without changing it."""
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
