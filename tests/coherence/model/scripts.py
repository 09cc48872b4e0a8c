"""The scripts of the product, done by the model: the same reads and writes of keys in the same order."""

from __future__ import annotations

from dataclasses import replace
from struct import Struct
from typing import Any

import msgspec

from tests.coherence.model.records import Attribute, Commit, Record
from tests.coherence.model.server import Args, ScriptBody, Server, ServerConnection
from wsgessions.stores.valkey.client.script import Script
from wsgessions.stores.valkey.coherence.heartbeat import HEARTBEAT
from wsgessions.stores.valkey.coherence.members import MEMBERS
from wsgessions.stores.valkey.format.scripts import ScriptStatus
from wsgessions.stores.valkey.format.session_scripts import COMMIT, CREATE, DELETE, LOAD, TOUCH

_APPLIED = 0
_ALONE = Struct(">QQQ")
_END_TELLS_TIMELINE = "master_replid" in DELETE.source
_CREATION = Struct(">8sQQQ")
_SEEN = Struct(">8sQ")
_HEADER = Struct(">8sQ8sBQII8sIqIII")
_BEATS = Struct(">QQI")


def _alive(record: Record, ends: int, now: int, grace: int) -> bool:
    return record.deadline > now and ends > now - grace


def _create(server: Server, connection: ServerConnection, keys: Args, args: Args) -> Any:
    incarnation, interval, lifetime, not_after = _CREATION.unpack(args[0])
    there = _look(server, connection, keys[0])
    if there is not None:
        return [] if not there.dead and there.incarnation == incarnation else None
    now, version = server.now_ms(), server.micros()
    if now > not_after and server.heeds_deadlines:
        return [int(ScriptStatus.TOO_LATE), now]
    attributes = tuple((args[i], Attribute(version, args[i + 1])) for i in range(1, len(args), 2))
    record = Record(incarnation, version, now, interval, now + lifetime, version, attributes)
    server.data.scores[keys[0][-16:]] = ends = record.idle_end(now)
    _store(server, connection, keys[0], record)
    if server.creations_end_with_a_read:
        server.read(connection, keys[0])
    return [version, now, ends]


def _load(server: Server, connection: ServerConnection, keys: Args, args: Args) -> Any:
    incarnation, since = _SEEN.unpack(args[0])
    record = _look(server, connection, keys[0])
    if record is None:
        return [int(ScriptStatus.GONE)]
    if record.dead or record.incarnation != incarnation or not record.in_history(since):
        return [_APPLIED, record.flat()]
    idle_end = record.idle_end(record.version // 1000)
    changed, live = record.written_since(since), record.live_names(since)
    past = record.lineage() if record.version > since else b""
    return [_APPLIED, record.version, record.interval, record.deadline, idle_end, changed, live, past]


def _delete(server: Server, connection: ServerConnection, keys: Args, args: Args) -> Any:
    told = [0, server.replication_id] if _END_TELLS_TIMELINE else []
    record = _look(server, connection, keys[0])
    if record is None:
        server.data.scores.pop(keys[0][-16:], None)
        return [int(ScriptStatus.GONE), 0, *told]
    if record.dead:
        return [_APPLIED, int(args[2]), *told]
    if server.now_ms() > int(args[3]) and server.heeds_deadlines:
        return [int(ScriptStatus.TOO_LATE), server.now_ms()]
    score = server.data.scores.pop(keys[0][-16:], None)
    _store(server, connection, keys[0], _tombstone(record))
    ends = record.idle_end(record.version // 1000) if score is None else score
    return [_APPLIED, int(_alive(record, ends, server.now_ms(), int(args[1]))), *told]


def _touch(server: Server, connection: ServerConnection, keys: Args, args: Args) -> Any:
    now, repaired = server.now_ms(), 0
    if now > int(args[1]) and server.heeds_deadlines:
        return [int(ScriptStatus.TOO_LATE), now]
    for key in keys[1:]:
        record, member = _look(server, connection, key), key[-16:]
        score = server.data.scores.get(member)
        if record is None or record.dead:
            continue
        if _alive(record, record.idle_end(record.version // 1000) if score is None else score, now, int(args[0])):
            server.data.scores[member] = max(score or 0, record.idle_end(now))
            repaired += score is None
    return repaired


def _commit(server: Server, connection: ServerConnection, keys: Args, args: Args) -> Any:
    return _Committing(server, connection, keys, args).run()


class _Committing:
    """One run of ``commit.lua``."""

    def __init__(self, server: Server, connection: ServerConnection, keys: Args, args: Args) -> None:
        header = _HEADER.unpack(args[0])
        self.incarnation, self.base, self.id, self.resend, self.not_after, self.grace = header[:6]
        _, self.successor, _, self.interval, changed, removed, added = header[6:]
        self.server, self.connection, self.keys = server, connection, keys
        at = 1 + 2 * changed
        self.values = dict(zip(args[1:at:2], args[2:at:2], strict=True))
        self.removed = args[at : at + removed]
        at += removed
        self.added = dict(zip(args[at : at + 2 * added : 2], args[at + 1 : at + 2 * added : 2], strict=True))
        self.guarded = args[at + 2 * added :]
        self.record: Record
        self.since = -1
        self.ends = 0

    def run(self) -> Any:
        record = _look(self.server, self.connection, self.keys[0])
        if record is None:
            return [int(ScriptStatus.UNKNOWN if self.resend else ScriptStatus.GONE)]
        if record.incarnation != self.incarnation:
            return [int(ScriptStatus.GONE)]
        self.record = record
        self.since = self.base if record.in_history(self.base) else -1
        if any(each.id == self.id for each in record.commits):
            return self._repeated()
        if (self.resend and self.base < record.floor) or self.id in record.resent:
            return [int(ScriptStatus.UNKNOWN)]
        score = self.server.data.scores.get(self.keys[0][-16:])
        self.ends = record.idle_end(record.version // 1000) if score is None else score
        if record.dead or not _alive(record, self.ends, self.server.now_ms(), self.grace):
            return [int(ScriptStatus.GONE)]
        if self.server.now_ms() > self.not_after and self.server.heeds_deadlines:
            return [int(ScriptStatus.TOO_LATE), self.server.now_ms()]
        return self._refused() or self._applied()

    def _repeated(self) -> Any:
        record, previous = self.record, self.record.floor
        for each in record.commits:
            if each.id == self.id:
                break
            previous = each.version
        reply = [_APPLIED, each.version, previous, record.idle_end(each.version // 1000), each.results, []]
        if not record.dead:
            others = [(name, found) for name, found in record.visible() if found.version != each.version]
            changed = replace(record, attributes=tuple(others)).written_since(self.since)
            reply += [record.version, record.interval, changed, record.live_names(self.since), record.lineage()]
        return reply

    def _refused(self) -> Any:
        record = self.record
        written = {name: each.version for name, each in record.visible()}
        clashes = [name for name in self.guarded if (written.get(name) or record.removed) > self.since]
        if clashes and self.since != record.version:
            changed, live = record.written_since(self.since), record.live_names(self.since)
            there = record.version
            return [
                int(ScriptStatus.CONFLICT), there, there, self.ends, b"", clashes, there, record.interval, changed,
                live, record.lineage(),
            ]  # fmt: skip
        if len(self.keys) > 2 and _look(self.server, self.connection, self.keys[2]) is not None:
            return [int(ScriptStatus.CONFLICT), record.version, record.version, self.ends, b"", []]
        return None

    def _applied(self) -> Any:
        server, before, now = self.server, self.record, self.server.now_ms()
        replaced = {*self.values, *self.removed}
        others: list[bytes] = []
        overwritten: list[bytes] = []
        if self.since != before.version:
            theirs = {name: each for name, each in before.visible() if each.version > self.since}
            overwritten = [name for name in replaced if name in theirs]
            mine = replaced | self.added.keys()
            others = [part for name, each in theirs.items() if name not in mine for part in (name, each.raw)]
        attributes = dict(before.attributes)
        version = max(before.version + 1, server.micros())
        results = self._add(attributes)
        gone = [name for name in self.removed if attributes.pop(name, None)]
        attributes |= {name: Attribute(version, raw) for name, raw in self.values.items()}
        after = replace(
            _remembering(before, Commit(self.id, version, results), server.remembered),
            version=version,
            attributes=tuple(attributes.items()),
            interval=before.interval if self.interval < 0 else self.interval,
            removed=version if gone else before.removed,
            resent=(*before.resent, self.id) if self.resend else before.resent,
        )
        self._write(after, now)
        alone, ends = self.since == before.version, after.idle_end(now)
        if alone and not results:
            return _ALONE.pack(version, before.version, ends)
        reply: list[Any] = [_APPLIED, version, before.version, ends, results, overwritten]
        if not alone:
            live = replace(after, removed=before.removed).live_names(self.since)
            reply += [version, after.interval, others, live, after.lineage()]
        return reply

    def _add(self, attributes: dict[bytes, Attribute]) -> bytes:
        results = b""
        for name, by in self.added.items():
            there = self.values.get(name) or (attributes[name].raw if name in attributes else b"\0")
            self.values[name] = raw = msgspec.msgpack.encode(msgspec.msgpack.decode(there) + msgspec.msgpack.decode(by))
            results += bytes([len(raw)]) + raw
        return results

    def _write(self, after: Record, now: int) -> None:
        server, key = self.server, self.keys[0]
        if len(self.keys) > 2:
            _store(server, self.connection, key, _tombstone(after))
            server.data.scores.pop(key[-16:], None)
            key, after = self.keys[2], replace(after, incarnation=self.successor, rotated=after.version)
        _store(server, self.connection, key, after)
        server.data.scores[key[-16:]] = after.idle_end(now)
        if server.commits_end_with_a_read:
            server.read(self.connection, key)


def _remembering(record: Record, commit: Commit, most: int) -> Record:
    commits = (*record.commits, commit)
    if len(commits) <= most:
        return replace(record, commits=commits)
    return replace(record, commits=commits[1:], floor=commits[0].version)


def _tombstone(record: Record) -> Record:
    return replace(record, dead=True, attributes=(), rotated=0)


def _look(server: Server, connection: ServerConnection, key: bytes) -> Record | None:
    server.read(connection, key)
    return server.data.records.get(key)


def _store(server: Server, connection: ServerConnection, key: bytes, record: Record) -> None:
    server.data.records[key] = record
    if not record.dead:
        server.data.lineage.add((record.incarnation, record.version))
    server.written(connection, key)


def _heartbeat(server: Server, connection: ServerConnection, keys: Args, args: Args) -> Any:
    now, (node, acknowledged, lease, _) = server.now_ms(), args
    before, connection.unaware = server.data.members.get(node), False
    server.data.members[node] = _BEATS.pack(now, int(acknowledged), int(lease))
    origin = _kept_since(server, now)
    server.written(connection, keys[0])
    server.set_string(connection, keys[1], server.moment(), now + 60_000)
    last = 0 if before is None else _BEATS.unpack(before)[0]
    return [now, server.replication_id, 1, origin, last]


def _members(server: Server, connection: ServerConnection, keys: Args, args: Args) -> Any:
    now = server.now_ms()
    if args[0] == b"1":
        server.set_string(connection, keys[1], server.moment(), now + 60_000)
    return [now, _kept_since(server, now), [part for pair in server.data.members.items() for part in pair]]


def _kept_since(server: Server, now: int) -> int:
    since, timeline = server.data.origin
    if timeline != server.replication_id or since > now:
        since, _ = server.data.origin = (now, server.replication_id)
    return since


SCRIPTS: dict[str, tuple[Script, ScriptBody]] = {
    script.sha1: (script, body)
    for script, body in (
        (CREATE, ScriptBody(_create, writes=True)),
        (LOAD, ScriptBody(_load, writes=False)),
        (COMMIT, ScriptBody(_commit, writes=True)),
        (DELETE, ScriptBody(_delete, writes=True)),
        (TOUCH, ScriptBody(_touch, writes=True)),
        (HEARTBEAT, ScriptBody(_heartbeat, writes=True)),
        (MEMBERS, ScriptBody(_members, writes=True)),
    )
}
"""By the name that the server has for each."""
