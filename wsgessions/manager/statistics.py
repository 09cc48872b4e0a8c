"""Counters of one manager. Plain integers, so that counting costs nothing that a request could notice."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["SessionStatistics"]


@dataclass(slots=True)
class SessionStatistics:
    """What has happened in this process since it started. Read them at any time; they only grow."""

    recalled: int = 0
    """Sessions served from memory, without asking the store."""
    loads: int = 0
    """Sessions read from the store."""
    hops: int = 0
    """Requests whose session was last served by another process (C-14)."""
    created: int = 0
    """Sessions created."""
    taken_over: int = 0
    """Sessions made of those of another library (S-75); not among those created."""
    commits: int = 0
    """Changes accepted by the store, creations not included."""
    invalidated: int = 0
    """Sessions ended by the application."""
    rotated: int = 0
    """Ids replaced."""
    unknown_ids: int = 0
    """Well-formed ids that the store does not know: expired, ended or made up (S-11)."""
    malformed_ids: int = 0
    """Id cookies of the wrong shape (S-04)."""
    conflicting_ids: int = 0
    """Requests with several different id cookies (S-29)."""
    oversized_cookies: int = 0
    """Requests with more cookies than are read (S-31)."""
    forged_watermarks: int = 0
    """Watermarks that none of our keys has made."""
    lost_commits_detected: int = 0
    """Sessions that came back older than their client had seen them (C-12)."""
    refused_commits: int = 0
    """Changes refused because the session had ended elsewhere (C-9)."""
    conflicts: int = 0
    """Changes refused because another request was first."""
    overwritten_attributes: int = 0
    """Attributes where the last write won over an unseen one (C-10)."""
    store_failures: int = 0
    """Calls to which the store gave no answer, or an error."""
    unknown_outcomes: int = 0
    """Those of them of which it is not known whether their changes were carried out (C-20)."""
    followed_moves: int = 0
    """Sessions found where a rotation of unknown outcome had moved them (C-23)."""
    late_ids: int = 0
    """Changes refused because the client had given its id up a moment ago (C-24)."""
    bytes_sent: int = 0
    """Bytes of names and values sent in commits and creations."""
    bytes_whole: int = 0
    """Bytes that the same commits would have sent if each wrote its whole session."""

    @property
    def round_trips_per_request(self) -> float:
        """How often the store was asked for each request that used a session; NaN before the first.

        Uses are not counted in it, since they are reported together. A request that finds its id unknown and begins
        a session counts as two.
        """
        requests = self.recalled + self.loads + self.created
        changes = self.created + self.commits + self.refused_commits + self.conflicts + self.invalidated
        return (self.loads + changes) / requests if requests else float("nan")

    def snapshot(self) -> dict[str, int]:
        """All counters by name."""
        return asdict(self)
