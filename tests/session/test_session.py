"""A session made by hand: a dict everywhere, and alone (for tests of applications)."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import timedelta
from typing import Any

import pytest

from wsgessions import errors
from wsgessions.codec import encode
from wsgessions.record import StoredAttributes
from wsgessions.session import Session, unit_of
from wsgessions.session.values import ServedFrom, SessionStatus


def test_it_works_alone() -> None:
    session = Session({"a": 1}, b=2)
    session["c"] = [3]
    assert session == {"a": 1, "b": 2, "c": [3]}
    assert session.id is None
    assert session.ref is None
    assert session.is_new
    assert session.version == 0
    assert session.created_at is session.last_accessed_at is session.expires_at is None
    assert session.served_from is ServedFrom.NEW
    assert session.last_commit is None
    assert not session.rolled_back


async def test_what_needs_a_store_is_in_force_at_once() -> None:
    session = Session(n=1)
    assert await session.increment("n", 2) == 3
    assert await session.increment("m") == 1
    assert await session.update("n", lambda n: n * 10) == 30
    await session.commit()
    await session.refresh()
    await session.load()
    await session.rotate_id()
    assert session == {"n": 30, "m": 1}
    await session.invalidate()
    assert session == {}


async def test_numbers_alone_follow_the_rules_of_the_store() -> None:
    """C-10: what a test of an application sees is what the store will do."""
    session = Session(n=1, text="1", flag=True)
    for name, by in [("text", 1), ("flag", 1), ("n", "1"), ("n", True), ("n", None)]:
        with pytest.raises(errors.CodecError, match="cannot be incremented"):
            await session.increment(name, by)  # type: ignore[arg-type]
    for by in (2**53, -(2**53), 2**53 - 1, float("nan"), float("inf"), 10**400):
        with pytest.raises(errors.CodecError, match=r"2\*\*53"):
            await session.increment("n", by)
    assert session == {"n": 1, "text": "1", "flag": True}


@pytest.mark.parametrize("name", ["", "_wsg", "_wsg_created", "n" * 257, "ü" * 129, "\ud800", 1, None, b"name"])
async def test_names_are_checked_wherever_they_come_in(name: Any) -> None:
    """R-04, R-05: nothing is changed then."""
    session = Session(a=1)
    with pytest.raises(errors.CodecError):
        session[name] = 1
    with pytest.raises(errors.CodecError):
        session.setdefault(name, 1)
    with pytest.raises(errors.CodecError):
        session.update({"b": 2, name: 1})
    with pytest.raises(errors.CodecError):
        session |= {"b": 2, name: 1}
    with pytest.raises(errors.CodecError):
        Session({name: 1})
    with pytest.raises(errors.CodecError):
        await session.increment(name)
    with pytest.raises(errors.CodecError):
        await session.update(name, lambda value: value)
    assert session == {"a": 1}


@pytest.mark.filterwarnings("ignore::wsgessions.session.ShadowedNameWarning")
def test_reserved_looking_names_that_are_not_reserved_are_fine() -> None:
    """R-05: metadata lives elsewhere, so no other name can collide with it."""
    names = [
        "__class__",
        "__init__",
        "id",
        "version",
        "created",
        "principal",
        "user_id",
        "i",
        "v",
        "d",
        "_x",
        "\0",
        "a\r\nb",
    ]
    session = Session(dict.fromkeys(names, 1))
    assert list(session) == names


def test_copies_are_plain_dicts() -> None:
    session = Session(a=[1], b={"c": 2})
    for made in (
        session.copy(),
        copy.copy(session),
        copy.deepcopy(session),
        pickle.loads(pickle.dumps(session)),  # noqa: S301 - our own bytes
        dict(session),
        {**session},
        session | {},
        {} | session,
        json.loads(json.dumps(session)),
    ):
        assert type(made) is dict
        assert made == session
    assert copy.deepcopy(session)["a"] is not session["a"]


def test_it_matches_patterns() -> None:
    match Session(user={"name": "Ann"}, other=1):
        case {"user": {"name": str(name)}, **rest}:
            assert (name, rest) == ("Ann", {"other": 1})
        case _:
            pytest.fail("a session is a mapping to match")


def test_fromkeys_makes_a_session() -> None:
    made = Session.fromkeys(["a", "b"], 0)
    assert type(made) is Session
    assert made == {"a": 0, "b": 0}


def test_it_is_not_hashable_as_no_dict_is() -> None:
    with pytest.raises(TypeError):
        hash(Session())


def test_update_takes_what_a_dict_takes() -> None:
    session = Session()
    session.update(a=1)
    session.update({"b": 2})
    session.update([("c", 3)], fn=4)
    session.update()
    assert session == {"a": 1, "b": 2, "c": 3, "fn": 4}
    with pytest.raises(TypeError):
        session.update(None)  # type: ignore[call-overload]


def test_the_idle_timeout_can_be_set() -> None:
    session = Session()
    assert session.max_inactive_interval is None
    session.max_inactive_interval = timedelta(minutes=5)
    assert session.max_inactive_interval == timedelta(minutes=5)
    session.max_inactive_interval = None
    assert session.max_inactive_interval is None


@pytest.mark.parametrize("value", [timedelta(0), timedelta(seconds=-1), timedelta(microseconds=999)])
def test_an_idle_timeout_is_positive(value: timedelta) -> None:
    session = Session()
    with pytest.raises(ValueError, match="positive"):
        session.max_inactive_interval = value


@pytest.mark.parametrize("value", [timedelta(milliseconds=2**52 + 1), timedelta(days=10**8), timedelta.max])
def test_an_idle_timeout_that_no_record_holds_is_refused_when_it_is_set(value: timedelta) -> None:
    session = Session()
    with pytest.raises(ValueError, match="at most 52124995 days"):
        session.max_inactive_interval = value
    assert session.max_inactive_interval is None


def test_its_repr_names_attributes_and_shows_no_value() -> None:
    """S-80: error trackers print local variables."""
    session = Session(password="hunter2", cart=["x"])
    assert repr(session) == str(session) == "<Session new: cart, password>"
    assert repr(Session()) == "<Session new: empty>"


def test_a_repr_is_one_line_whatever_the_names_are() -> None:
    """S-81."""
    shown = repr(Session({"a\r\nWARNING forged": 1, "\x1b[31mred": 2}))
    assert shown.isprintable()


def test_looking_and_changing_are_noted() -> None:
    session = Session()
    noted = [(session.accessed, session.modified)]
    assert "a" not in session
    noted.append((session.accessed, session.modified))
    session["a"] = 1
    noted.append((session.accessed, session.modified))
    assert noted == [(False, False), (True, False), (True, True)]
    assert session.status is SessionStatus.NEW


@pytest.mark.parametrize(
    "look",
    [
        lambda session: session.get("a"),
        lambda session: "a" in session,
        len,
        bool,
        list,
        reversed,
        lambda session: session.keys(),
        lambda session: session.values(),
        lambda session: session.items(),
        lambda session: session.copy(),
        lambda session: session == {},
        lambda session: session | {},
        lambda session: session.setdefault("a", 1),
        lambda session: session.pop("a", None),
        lambda session: session.clear(),
        lambda session: session.update(a=1),
        lambda session: session.invalidate(),
        lambda session: session.rotate_id(),
        lambda session: session.id,
        lambda session: session.is_new,
        lambda session: session.version,
        lambda session: session.status,
        lambda session: session.created_at,
        lambda session: session.last_accessed_at,
        lambda session: session.expires_at,
        lambda session: session.max_inactive_interval,
        lambda session: session.served_from,
        lambda session: session.forbid_caching(),
        lambda session: session.mark_accessed(),
    ],
)
def test_every_kind_of_look_counts_as_an_access(look: Any) -> None:
    """S-40: whatever is said of the session depends on the cookie."""
    session = Session()
    look(session)
    assert session.accessed


def test_a_serializer_counts_as_an_access() -> None:
    session = Session()
    unit_of(session).rebase_onto(session, StoredAttributes({"a": encode(1, name="a")}))
    assert not session.accessed
    assert json.dumps(session) == '{"a": 1}'
    assert session.accessed


def test_repr_and_ref_do_not_count_as_an_access() -> None:
    """They are for logs."""
    session = Session()
    assert (repr(session), session.ref, session.accessed) == ("<Session new: empty>", None, False)


def test_what_cannot_be_stored_is_refused_by_name_and_type() -> None:
    """R-01: at the latest when changes are collected."""
    session = Session(a=1)
    session["handler"] = lambda: None
    with pytest.raises(errors.CodecError, match=r"'handler'.*function"):
        _ = session.modified
