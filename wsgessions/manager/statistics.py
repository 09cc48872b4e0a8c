"""Counters of one manager. Plain integers, so that counting costs nothing that a request could notice."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["SessionStatistics"]


@dataclass(slots=True)
class SessionStatistics:
    """The counters of this process since it started. They may be read at any time; they only grow."""

    recalled: int = 0
    """Sessions served from the near cache, without a request to the store."""
    loads: int = 0
    """Sessions read from the store."""
    hops: int = 0
    """Requests whose session was last served by another process (C-14)."""
    created: int = 0
    """Sessions created."""
    taken_over: int = 0
    """Sessions migrated from another library (S-75); not counted as created."""
    commits: int = 0
    """Changes accepted by the store, creations not included."""
    invalidated: int = 0
    """Sessions ended by the application."""
    rotated: int = 0
    """Ids replaced."""
    unknown_ids: int = 0
    """Well-formed ids that the store does not know: expired, ended or made up (S-11)."""
    malformed_ids: int = 0
    """Id cookies with the wrong form (S-04)."""
    conflicting_ids: int = 0
    """Requests with several different id cookies (S-29)."""
    oversized_cookies: int = 0
    """Requests with more cookies than are read (S-31)."""
    forged_watermarks: int = 0
    """Watermarks that were made with none of the known keys."""
    lost_commits_detected: int = 0
    """Sessions older than their client had seen them (C-12)."""
    refused_commits: int = 0
    """Changes rejected because the session had ended elsewhere (C-9)."""
    conflicts: int = 0
    """Changes rejected because another request was first."""
    overwritten_attributes: int = 0
    """Attributes where the last write replaced one that it had not seen (C-10)."""
    store_failures: int = 0
    """Calls that the store did not answer, or answered with an error."""
    unknown_outcomes: int = 0
    """Those of them with an unknown outcome of their changes (C-20)."""
    followed_moves: int = 0
    """Sessions found by the move of a rotation of unknown outcome (C-23)."""
    late_ids: int = 0
    """Changes rejected because the client had replaced its id a moment ago (C-24)."""
    bytes_sent: int = 0
    """Bytes of names and values sent in commits and creations."""
    bytes_whole: int = 0
    """Bytes that the same commits would have sent if each wrote its whole session."""

    @property
    def round_trips_per_request(self) -> float:
        """Requests to the store for each request with a session; NaN before the first.

        Accesses are not counted in it, since they are sent together. A request that finds its id unknown and begins a
        session counts as two.
        """
        requests = self.recalled + self.loads + self.created
        changes = self.created + self.commits + self.refused_commits + self.conflicts + self.invalidated
        return (self.loads + changes) / requests if requests else float("nan")

    def snapshot(self) -> dict[str, int]:
        """All counters by name."""
        return asdict(self)
