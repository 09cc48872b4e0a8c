"""A session as the model of the server holds it, and as ``record.lua`` would lay it out."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from wsgessions.stores.valkey.format import scripts as layout

_COMMIT = Struct(">8sQ")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A value with the version that wrote it."""

    version: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """A remembered commit."""

    id: bytes
    version: int
    results: bytes = b""


@dataclass(frozen=True, slots=True)
class Record:
    """One state of one session, or its tombstone."""

    incarnation: bytes
    version: int
    created: int
    interval: int
    deadline: int
    floor: int
    attributes: tuple[tuple[bytes, Attribute], ...]
    """By name, with the prefix that names have in the hash."""
    removed: int = 0
    rotated: int = 0
    commits: tuple[Commit, ...] = ()
    resent: tuple[bytes, ...] = ()
    dead: bool = False

    def idle_end(self, used: int) -> int:
        return min(used + self.interval, self.deadline) if self.interval else self.deadline

    def in_history(self, version: int) -> bool:
        return version == self.version or version <= self.floor or any(each.version == version for each in self.commits)

    def written_since(self, since: int) -> list[bytes]:
        return [part for name, each in self.visible() if each.version > since for part in (name, each.raw)]

    def live_names(self, since: int) -> list[bytes] | None:
        return None if self.removed <= since else [name for name, _ in self.visible()]

    def lineage(self) -> bytes:
        return self.floor.to_bytes(8) + b"".join(each.version.to_bytes(8) for each in self.commits)

    def content(self) -> tuple[tuple[str, bytes], ...]:
        """What a client may see of the attributes."""
        return tuple(sorted((name[1:].decode(), each.raw) for name, each in self.visible()))

    def visible(self) -> list[tuple[bytes, Attribute]]:
        """Without whose session it is, which scripts keep as they keep an attribute."""
        return [(name, each) for name, each in self.attributes if name[:1] == b"a"]

    def fields(self) -> dict[bytes, bytes]:
        """The hash."""
        metadata = self._metadata()
        if self.dead:
            return {b"t": metadata}
        fields = {b"m": metadata}
        if self.rotated:
            fields[b"i"] = self.rotated.to_bytes(8)
        return fields | {name: each.version.to_bytes(8) + each.raw for name, each in self.attributes}

    def flat(self) -> list[bytes]:
        return [part for pair in self.fields().items() for part in pair]

    def _metadata(self) -> bytes:
        head = layout.HEAD.pack(
            ord("w"),
            2,
            self.incarnation,
            self.version,
            self.created,
            self.interval,
            self.deadline,
            self.removed,
            self.floor,
            len(self.commits),
        )
        commits = (
            _COMMIT.pack(each.id, each.version) + len(each.results).to_bytes(3) + each.results for each in self.commits
        )
        return head + b"".join(commits)
