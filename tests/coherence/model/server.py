"""The server as the near cache sees it: keys, tracking table, and for each connection one stream (facts 1 to 12).

Nothing runs by itself: `Server.execute` is one command, and what it queues is delivered by the explorer, item by item.
"""

from __future__ import annotations

import copy
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.coherence.model.records import Record
from wsgessions.errors import StoreRefused
from wsgessions.stores.valkey.client.replies import server_error
from wsgessions.stores.valkey.client.script import Script

Args = list[bytes]


class Push(NamedTuple):
    """A push message in a stream; everything else in it is a reply."""

    names: list[bytes] | None


class ServerConnection:
    """What the server knows of one connection."""

    def __init__(self, number: int, server: Server) -> None:
        self.number = number
        self.server = server
        self.tracking: bool = False
        self.noloop: bool = False
        self.permitted: bool = False
        """Whether ``CLIENT CACHING YES`` awaits its command (OPTIN)."""
        self.inbox: deque[tuple[Args, bool]] = deque()
        """Commands that were sent and have not been executed, and whether each ends what was sent in one piece."""
        self.stream: deque[Any] = deque()
        """Replies and pushes that have not been delivered."""
        self.alive: bool = True
        self.mute: bool = False
        """Whether its pushes get lost."""
        self.missed: bool = False
        """Whether some have been lost since the server last told how much it had sent."""
        self.unaware: bool = False
        """Whether the data have been replaced since its last heartbeat, and no push has told it."""
        self.sent: int = 0
        """How many replies and pushes the server has sent, as many as it would count bytes."""

    def push(self, names: list[bytes] | None) -> None:
        if self.alive:
            self.sent += 1
            if self.mute:
                self.missed = True
            else:
                self.stream.append(Push(names))

    def reply(self, reply: Any) -> None:
        if self.alive:
            self.sent += 1
            self.stream.append(reply)


class ScriptBody(NamedTuple):
    """What stands for a script's text."""

    run: Callable[[Server, ServerConnection, Args, Args], Any]
    writes: bool


class Data:
    """What is replicated."""

    def __init__(self) -> None:
        self.records: dict[bytes, Record] = {}
        self.scores: dict[bytes, int] = {}
        self.members: dict[bytes, bytes] = {}
        self.origin: tuple[int, bytes] = (0, b"")
        """Since when the members are listed, and in which history."""
        self.strings: dict[bytes, tuple[bytes, int]] = {}
        """With the millisecond at which each expires."""
        self.config: dict[bytes, bytes] = {}
        self.lineage: set[tuple[bytes, int]] = set()
        """Incarnation and version of every state that this history has seen."""

    def copy(self) -> Data:
        twin = Data()
        for name, value in vars(self).items():
            setattr(twin, name, copy.copy(value))
        return twin


class Server:
    """One server. A failover makes another one of its data, or of an earlier state of them."""

    commits_end_with_a_read = True
    creations_end_with_a_read = True
    heeds_deadlines = True
    """Whether scripts that run after their callers have given up change nothing (C-20)."""
    refuses_heartbeats = True
    """Whether a server that may not write says so to a heartbeat; false is what a PING would do (fact 12)."""

    def __init__(self, now: Callable[[], float], scripts: dict[str, tuple[Script, ScriptBody]]) -> None:
        self.data = Data()
        self.past: list[Data] = []
        """The data before each write to a session, oldest first: what a failover may fall back to."""
        self.readonly: bool = False
        self.replication_id: bytes = b"%040x" % 1
        self.trackers: dict[bytes, set[ServerConnection]] = {}
        self.connections: list[ServerConnection] = []
        self.known: set[str] = set()
        self.remembered: int = 8
        """How many commits a record remembers."""
        self.counts: bool = True
        """Whether it counts what it sends."""
        self.tracks: bool = True
        """False for a server, or a proxy before it, that knows no tracking."""
        self._now = now
        self._scripts = scripts
        self._late: list[bytes] = []
        self._numbers: Iterator[int] = itertools.count()

    def successor(self, lost: int) -> Server:
        """The server that takes over without the last ``lost`` writes. It knows no scripts, and nobody's reads."""
        new = copy.copy(self)
        new.data = (self.past[-lost] if lost else self.data).copy()
        new.past = self.past[: len(self.past) - lost]
        new.replication_id = b"%040x" % (int(self.replication_id, 16) + 1)
        new.trackers, new.connections, new.known, new._late = {}, [], set(), []
        return new

    # Time

    def now_ms(self) -> int:
        return int(self._now() * 1000)

    def micros(self) -> int:
        """Like the real one, the clock never shows one microsecond to two writes, not even of two servers."""
        return int(self._now() * 1_000_000) + next(self._numbers)

    def moment(self) -> bytes:
        """What scripts write where any other value than before will do."""
        return b"%d" % self.micros()

    # Connections

    def connect(self) -> ServerConnection:
        connection = ServerConnection(next(self._numbers), self)
        self.connections.append(connection)
        return connection

    def drop(self, connection: ServerConnection) -> None:
        """The connection has ended; what it had sent may be executed all the same. Its entries stay (fact 10)."""
        connection.alive = False
        connection.stream.clear()

    def execute(self, connection: ServerConnection) -> bool:
        """Run the oldest command of a connection and queue its reply; says whether it ended a piece."""
        args, last = connection.inbox.popleft()
        if args[0].startswith(b"EVAL"):
            before, version = self.data.copy(), self._fingerprint()
            reply = self.answer(connection, args)
            if self._fingerprint() != version:
                self.past.append(before)
        else:
            reply = self.answer(connection, args)
        connection.reply(reply)
        for name in self._late:  # what a command pushes to its own connection follows its reply (fact 6)
            connection.push([name])
        self._late = []
        return last

    def answer(self, connection: ServerConnection, args: Args) -> Any:
        try:
            return self._command(connection, args)
        except StoreRefused as error:
            return error
        finally:
            if args[:2] != [b"CLIENT", b"CACHING"]:
                connection.permitted = False  # spent, whatever became of the command (fact 5b)

    def _fingerprint(self) -> tuple[object, ...]:
        return (*self.data.records.values(), *self.data.scores.values())

    # Commands

    def _command(self, connection: ServerConnection, args: Args) -> Any:
        name = args[0].decode().lower()
        if name in ("eval", "evalsha"):
            return self._script(connection, name, args)
        return getattr(self, f"_{name}")(connection, args[1:])

    def _script(self, connection: ServerConnection, name: str, args: Args) -> Any:
        if name == "evalsha" and args[1].decode() not in self.known:
            raise server_error("NOSCRIPT No matching script. Please use EVAL.")
        sha1 = args[1].decode() if name == "evalsha" else Script("", args[1].decode()).sha1
        self.known.add(sha1)
        script, body = self._scripts[sha1]
        if self.readonly and body.writes and (self.refuses_heartbeats or script.name != "heartbeat"):
            raise server_error("READONLY You can't write against a read only replica.")
        count = int(args[2])
        return body.run(self, connection, args[3 : 3 + count], args[3 + count :])

    def _client(self, connection: ServerConnection, args: Args) -> bytes:
        if args[0] == b"TRACKING":
            if not self.tracks:
                raise server_error("ERR unknown subcommand 'TRACKING'.")
            connection.tracking, connection.noloop = True, b"NOLOOP" in args
        elif args[0] == b"INFO":
            if not self.counts:
                return b"id=1"
            connection.missed = False
            return b"id=1 oll=0 obl=0 events=r tot-net-out=%d" % connection.sent
        elif args[0] == b"CACHING":
            if not connection.tracking:
                raise server_error("ERR CLIENT CACHING can be called only when the client is in tracking mode")
            connection.permitted = True
        return b"OK"

    def _ping(self, connection: ServerConnection, args: Args) -> bytes:
        return b"PONG"

    def _info(self, connection: ServerConnection, args: Args) -> bytes:
        role = b"slave" if self.readonly else b"master"
        said = b"valkey_version:9.1.2\r\nmaxmemory_policy:noeviction\r\nconnected_slaves:0\r\nrole:" + role
        return said + b"\r\nmaster_replid:" + self.replication_id

    def _time(self, connection: ServerConnection, args: Args) -> list[bytes]:
        ms = self.now_ms()
        return [str(ms // 1000).encode(), str(ms % 1000 * 1000).encode()]

    def _zscore(self, connection: ServerConnection, args: Args) -> float | None:
        self.read(connection, args[0])
        return self.data.scores.get(args[1])

    def _hgetall(self, connection: ServerConnection, args: Args) -> dict[bytes, bytes]:
        self.read(connection, args[0])
        record = self.data.records.get(args[0])
        return {} if record is None else record.fields()

    def _hget(self, connection: ServerConnection, args: Args) -> bytes | None:
        return self.data.config.get(args[1])

    def _hsetnx(self, connection: ServerConnection, args: Args) -> int:
        self.data.config.setdefault(args[1], args[2])
        return 1

    def _hdel(self, connection: ServerConnection, args: Args) -> int:
        return int(self.data.members.pop(args[1], None) is not None)

    def _get(self, connection: ServerConnection, args: Args) -> bytes | None:
        self.read(connection, args[0])
        return self.string(connection, args[0])

    def _mget(self, connection: ServerConnection, args: Args) -> list[bytes | None]:
        return [self._get(connection, [name]) for name in args]

    # What commands and scripts do to keys

    def read(self, connection: ServerConnection, name: bytes) -> None:
        """A read; missing keys are tracked, too (facts 5 and 9)."""
        if connection.tracking and connection.permitted and connection.alive:
            self.trackers.setdefault(name, set()).add(connection)

    def written(self, writer: ServerConnection | None, name: bytes) -> None:
        """A key was changed: one push to each who reads it, then it is forgotten, also for the writer (facts 3, 4)."""
        for each in sorted(self.trackers.pop(name, ()), key=lambda connection: connection.number):
            if each is not writer:
                each.push([name])
            elif not each.noloop:
                self._late.append(name)

    def set_string(self, connection: ServerConnection, name: bytes, value: bytes, ends: int) -> None:
        self.data.strings[name] = value, ends
        self.written(connection, name)

    def string(self, connection: ServerConnection, name: bytes) -> bytes | None:
        """A plain value. Who finds that one has expired has removed it himself (facts 4 and 8)."""
        value, ends = self.data.strings.get(name, (None, 0))
        if value is None or ends > self.now_ms():
            return value
        del self.data.strings[name]
        self.written(connection, name)
        return None

    # What befalls it

    def flush_all(self) -> None:
        self.past.append(self.data)
        self.data, old = Data(), self.data
        self.data.lineage = old.lineage
        self.data.config = old.config  # of no interest here: nodes that meet another number of segments refuse to go on
        self._tell_all()

    def replace(self, data: Data) -> None:
        """The database is swapped for another one: the history goes on, and no message tells of it."""
        self.past.append(self.data)
        self.data = data
        for each in self.connections:
            each.unaware = True

    def resync(self, lost: int) -> None:
        """Become the follower of another server and its successor again, with all connections kept (facts 9 and 16)."""
        new = self.successor(lost)
        self.data, self.past, self.replication_id = new.data, new.past, new.replication_id
        self._tell_all()

    def _tell_all(self) -> None:
        self.trackers.clear()
        for each in self.connections:
            if each.tracking:
                each.push(None)

    def evict(self, name: bytes) -> None:
        """The tracking table is full: a key is taken for changed (fact 10)."""
        self.written(None, name)
