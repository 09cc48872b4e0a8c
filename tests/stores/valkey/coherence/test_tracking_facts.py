"""What servers do about client-side caching, on which the near cache rests: the facts of docs/design/coherence.md.

Everything is said over bare sockets, so that nothing of ours stands between the server and what is seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.stores.valkey.links import LATER
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.resp import Conversation, Push, Refused
from tests.stores.valkey.shared_server import shared_server
from wsgessions.record import NewSession, RotationTarget, Seen, SessionDelta, SessionKey, new_incarnation
from wsgessions.stores.valkey.client.script import Script
from wsgessions.stores.valkey.format import scripts as layout
from wsgessions.stores.valkey.format.segments import Segment, Segments
from wsgessions.stores.valkey.format.session_scripts import COMMIT, CREATE, DELETE, LOAD, TOUCH
from wsgessions.testing.stores.harness import new_key, successor_of

__all__ = ["shared_server"]

Words = tuple[str | bytes | int, ...]

TRACKED: Words = ("CLIENT", "CACHING", "YES")
SHORT_LIVED: Final = "redis.call('SET', KEYS[1], 1, 'PX', 5) return redis.call('GET', KEYS[1])"
"""Time stands still inside a script."""
WHILE_TIME_PASSES: Words = ("EVAL", "local t = os.clock() while os.clock() - t < 0.02 do end", 0)
"""20 ms in which the server does nothing else, so that no removal of its own comes in between."""


@pytest.fixture
def node(shared_server: RawServer) -> Iterator[Conversation]:
    """The connection of a node: it keeps copies."""
    connection = Conversation(shared_server.path, "OPTIN", "NOLOOP")
    yield connection
    connection.close()


@pytest.fixture
def other(shared_server: RawServer) -> Iterator[Conversation]:
    """Somebody else, who keeps none."""
    connection = Conversation(shared_server.path)
    yield connection
    connection.close()


@pytest.fixture
def key() -> str:
    return new_key().digest.hex()


def gone(*keys: str | bytes) -> Push:
    """The push that tells of keys."""
    return Push([b"invalidate", [key if isinstance(key, bytes) else key.encode() for key in keys]])


# -- plain commands ----------------------------------------------------------------------------------------------------


def test_a_change_is_pushed_before_the_reply_to_what_is_asked_next(
    node: Conversation, other: Conversation, key: str
) -> None:
    """Fact 1."""
    node.say(TRACKED, ("GET", key))
    other.say(("SET", key, "new"))
    assert node.say(("GET", key)) == [gone(key), b"new"]


def test_one_push_and_the_key_is_forgotten_until_it_is_read_again(
    node: Conversation, other: Conversation, key: str
) -> None:
    """Fact 3: and read with permission, which one command uses up."""
    node.say(TRACKED, ("GET", key))
    other.say(("SET", key, 1), ("SET", key, 2))
    assert node.say(("GET", key)) == [gone(key), b"2"]
    other.say(("SET", key, 3))
    assert node.say(TRACKED, ("GET", key)) == [b"OK", b"3"]
    other.say(("SET", key, 4))
    assert node.say() == [gone(key)]


def test_an_own_write_is_not_pushed_and_yet_forgets_the_key(node: Conversation, other: Conversation, key: str) -> None:
    """Fact 4: what others write afterwards is not told either."""
    node.say(TRACKED, ("GET", key))
    assert node.say(("SET", key, "mine")) == [b"OK"]
    other.say(("SET", key, "theirs"))
    assert node.say() == []


def test_permission_to_a_write_that_reads_nothing_tracks_nothing(
    node: Conversation, other: Conversation, key: str
) -> None:
    """Fact 4."""
    node.say(TRACKED, ("SET", key, "mine"))
    other.say(("SET", key, "theirs"))
    assert node.say() == []


def test_a_failing_command_uses_up_the_permission(node: Conversation, other: Conversation, key: str) -> None:
    """Fact 5b."""
    body = f"return redis.call('GET', KEYS[1]) -- {key}"
    _, unknown = node.say(TRACKED, ("EVALSHA", Script("read", body).sha1, 1, key))
    assert isinstance(unknown, Refused)
    assert unknown.startswith("NOSCRIPT")
    node.say(("EVAL", body, 1, key))
    other.say(("SET", key, 1))
    assert node.say() == []
    node.say(TRACKED, ("EVALSHA", Script("read", body).sha1, 1, key))
    other.say(("SET", key, 2))
    assert node.say() == [gone(key)]


def test_without_noloop_an_own_write_is_pushed_after_its_own_reply(shared_server: RawServer, key: str) -> None:
    """Fact 6."""
    node = Conversation(shared_server.path, "OPTIN")
    assert node.say(TRACKED, ("GET", key), ("SET", key, 1), ("PING",)) == [b"OK", None, b"OK", gone(key), b"PONG"]
    node.close()


@pytest.mark.parametrize("command", [("PEXPIRE", 100_000), ("PERSIST",)])
def test_a_change_of_the_time_to_live_is_pushed(
    node: Conversation, other: Conversation, key: str, command: tuple[str | int, ...]
) -> None:
    """Fact 7."""
    other.say(("SET", key, 1, "PX", 1_000_000))
    node.say(TRACKED, ("GET", key))
    other.say((command[0], key, *command[1:]))
    assert node.say() == [gone(key)]


def test_a_refused_change_of_the_time_to_live_is_not_pushed(node: Conversation, other: Conversation, key: str) -> None:
    """Fact 7."""
    other.say(("SET", key, 1, "PX", 1_000_000))
    node.say(TRACKED, ("GET", key))
    assert other.say(("PEXPIRE", key, 10, "NX")) == [0]
    assert node.say() == []


def test_what_expires_is_pushed_when_it_is_removed(node: Conversation, other: Conversation, key: str) -> None:
    """Fact 8: by the access of somebody else, or by the server in its own time; to the writer, too, despite NOLOOP."""
    node.say(TRACKED, ("EVAL", SHORT_LIVED, 1, key))
    other.say(WHILE_TIME_PASSES, ("GET", key))
    assert node.say() == [gone(key)]


def test_what_expires_is_removed_and_pushed_although_nobody_asks(node: Conversation, key: str) -> None:
    """Fact 8."""
    node.say(TRACKED, ("EVAL", SHORT_LIVED, 1, key))
    assert node.wait() == gone(key)


def test_what_an_own_read_finds_expired_is_not_pushed_to_the_reader(
    node: Conversation, other: Conversation, key: str
) -> None:
    """Facts 4 and 8: the removal counts as the reader's own; the key is forgotten unless that read was tracked."""
    said = node.say(TRACKED, ("EVAL", SHORT_LIVED, 1, key), WHILE_TIME_PASSES, ("GET", key), ("PING",))
    assert said == [b"OK", b"1", None, None, b"PONG"]
    other.say(("SET", key, 2))
    assert node.say() == []


def test_without_noloop_it_is_pushed_to_the_reader_after_the_reply(shared_server: RawServer, key: str) -> None:
    """Facts 6 and 8."""
    node = Conversation(shared_server.path, "OPTIN")
    said = node.say(TRACKED, ("EVAL", SHORT_LIVED, 1, key), WHILE_TIME_PASSES, ("GET", key), ("PING",))
    assert said == [b"OK", b"1", None, None, gone(key), b"PONG"]
    node.close()


@pytest.mark.parametrize("command", ["GET", "MGET", "HGETALL", "HMGET"])
def test_keys_that_are_missing_are_tracked(node: Conversation, other: Conversation, key: str, command: str) -> None:
    """Fact 9."""
    node.say(TRACKED, (command, key, *(["field"] if command == "HMGET" else [])))
    other.say(("HSET", key, "field", 1))
    assert node.say() == [gone(key)]


def test_all_keys_of_a_read_are_tracked(node: Conversation, other: Conversation, key: str) -> None:
    """C-3b."""
    node.say(TRACKED, ("MGET", key, f"{key}2"))
    other.say(("SET", f"{key}2", 1), ("SET", key, 1))
    assert node.say() == [gone(f"{key}2"), gone(key)]


def test_flushing_everything_is_pushed_as_everything(server: RawServer, key: str) -> None:
    """Fact 9."""
    node, other = Conversation(server.path, "OPTIN", "NOLOOP"), Conversation(server.path)
    node.say(TRACKED, ("GET", key))
    other.say(("FLUSHALL",))
    assert node.say() == [Push([b"invalidate", None])]
    node.close()
    other.close()


@pytest.mark.parametrize(("options", "told"), [(("OPTIN",), 50), (("OPTIN", "NOLOOP"), 0)], ids=["plain", "noloop"])
def test_what_an_own_command_pushes_out_of_a_full_table_is_not_told_under_noloop(
    server: RawServer, options: tuple[str, ...], told: int
) -> None:
    """Fact 10: the server trims its table while it serves somebody, and takes that for his doing."""
    node, other = Conversation(server.path, *options), Conversation(server.path)
    other.say(("CONFIG", "SET", "tracking-table-max-keys", 10))
    heard = [each for number in range(60) for each in node.say(TRACKED, ("GET", f"k{number}"), ("PING",))]
    assert sum(isinstance(each, Push) for each in heard) == told
    for number in range(60):
        other.say(("SET", f"k{number}", 1))
    assert len(node.say()) == 10
    node.close()
    other.close()


# -- our scripts -------------------------------------------------------------------------------------------------------


class Record:
    """One session, and what is said to the server about it."""

    def __init__(self) -> None:
        self.key: SessionKey = new_key()
        self.segment: Segment = Segments("t", self.key.digest.hex(), 64).of(self.key)
        self.name: bytes = self.segment.record(self.key)
        self.incarnation: int = new_incarnation()

    def create(self) -> Words:
        new = NewSession(self.key, {"a": b"1"}, 600_000, 3_600_000, self.incarnation)
        return _call(CREATE, [self.name, self.segment.expiries], layout.pack_creation(new, LATER))

    def commit(self, value: int = 0, *, to: RotationTarget | None = None, incarnation: int | None = None) -> Words:
        delta = SessionDelta(self.key, incarnation or self.incarnation, 1, {"a": b"%d" % value})
        keys = [self.name, self.segment.expiries, *([] if to is None else [self.segment.record(to.key)])]
        return _call(COMMIT, keys, layout.pack_commit(delta, to, grace_ms=0, resend=False, not_after=LATER))

    def load(self, since: int = 0) -> Words:
        return _call(LOAD, [self.name], [layout.pack_seen(Seen(self.incarnation, since))])

    def touch(self) -> Words:
        return _call(TOUCH, [self.segment.expiries, self.name], [b"0", b"%d" % LATER])

    def delete(self) -> Words:
        return _call(DELETE, [self.name, self.segment.expiries], [b"60000", b"0", b"0", b"%d" % LATER, b"0"])

    def use_of_the_index(self) -> Words:
        return ("ZADD", self.segment.expiries, "1", b"somebody else's")


def _call(script: Script, keys: list[bytes], args: list[bytes]) -> Words:
    return ("EVAL", script.source, len(keys), *keys, *args)


@pytest.fixture
def record(other: Conversation) -> Record:
    """A session that another node has created."""
    record = Record()
    other.say(record.create())
    return record


def test_a_tracked_creation_stays_tracked(node: Conversation, other: Conversation) -> None:
    """Fact 5, C-3: and so does one that finds its key taken."""
    record = Record()
    for _ in range(2):
        node.say(TRACKED, record.create())
        other.say(record.commit())
        assert node.say() == [gone(record.name)]


def test_tracked_commits_stay_tracked_however_many(node: Conversation, other: Conversation, record: Record) -> None:
    """Fact 5, C-3."""
    for value in range(3):
        for _ in range(value):
            assert not any(isinstance(reply, Push) for reply in node.say(TRACKED, record.commit(value)))
        node.say(TRACKED, record.commit(value))
        other.say(record.commit(9))
        assert node.say() == [gone(record.name)]


def test_two_nodes_are_told_of_each_others_commits_and_not_of_their_own(
    shared_server: RawServer, node: Conversation, record: Record
) -> None:
    """Fact 5."""
    second = Conversation(shared_server.path, "OPTIN", "NOLOOP")
    second.say(TRACKED, record.load())
    for value in range(3):
        node.say(TRACKED, record.commit(value))
        assert second.say() == [gone(record.name)]
        second.say(TRACKED, record.commit(value))
        assert node.say() == [gone(record.name)]
        assert second.say() == []
    second.close()


def test_a_tracked_rotation_tracks_the_successor(node: Conversation, other: Conversation, record: Record) -> None:
    """C-3."""
    to = successor_of(record.key)
    assert node.say(TRACKED, record.commit(to=to))[1][0] == 0
    moved = record.segment.record(to.key)
    other.say(("HSET", moved, "z", 1))
    assert node.say() == [gone(moved)]


def test_a_refused_commit_is_tracked_as_well(node: Conversation, other: Conversation, record: Record) -> None:
    assert node.say(TRACKED, record.commit(incarnation=1))[1] == [1]
    other.say(record.commit(2))
    assert node.say() == [gone(record.name)]


@pytest.mark.parametrize("since", [0, 2**52], ids=["changes", "whole"])
def test_a_conditional_read_tracks_whatever_it_answers(
    node: Conversation, other: Conversation, record: Record, since: int
) -> None:
    """Fact 5."""
    node.say(TRACKED, record.load(since))
    other.say(record.commit())
    assert node.say() == [gone(record.name)]


def test_a_conditional_read_that_says_nothing_has_changed_tracks(
    node: Conversation, other: Conversation, record: Record
) -> None:
    """Fact 5."""
    _, version, *_ = other.say(record.commit())[0]
    _, (_, present, _, _, _, changed, *_) = node.say(TRACKED, record.load(version))
    assert (present, changed) == (version, [])
    other.say(record.commit())
    assert node.say() == [gone(record.name)]


def test_a_read_of_nothing_is_told_of_the_creation(node: Conversation, other: Conversation) -> None:
    """Fact 9."""
    record = Record()
    assert node.say(TRACKED, record.load())[1] == [1]
    other.say(record.create())
    assert node.say() == [gone(record.name)]


def test_a_touch_pushes_nothing(node: Conversation, other: Conversation, record: Record) -> None:
    """Fact 7, C-7, C-16: neither of the record nor of anything else that a node has read."""
    node.say(TRACKED, record.load())
    other.say(record.touch(), record.touch())
    assert node.say() == []


@pytest.mark.parametrize("ours", ["create", "commit", "load", "rotation", "refused"])
def test_tracked_scripts_subscribe_to_nothing_but_records(
    node: Conversation, other: Conversation, record: Record, ours: str
) -> None:
    """C-3b: everybody writes the index, so that a subscription to it would tell of everything all the time."""
    said: dict[str, Words] = {
        "create": Record().create(),
        "commit": record.commit(),
        "load": record.load(),
        "rotation": record.commit(to=successor_of(record.key)),
        "refused": record.commit(incarnation=1),
    }
    node.say(TRACKED, said[ours])
    other.say(record.use_of_the_index())
    assert node.say() == []


def test_a_deletion_is_pushed(node: Conversation, other: Conversation, record: Record) -> None:
    node.say(TRACKED, record.load())
    other.say(record.delete())
    assert node.say() == [gone(record.name)]
