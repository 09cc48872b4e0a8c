"""The id that an application holds: a credential that never shows itself (S-10, S-80)."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import msgspec
import orjson
import pytest
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, TypeAdapter
from quart import Quart

from tests.nodes import two_nodes
from wsgessions import Session, SessionId, SessionManager, errors
from wsgessions.credentials.identity import new_session_id
from wsgessions.credentials.session_id import AnyId
from wsgessions.session import unit_of

TEXT = new_session_id()
ID = SessionId(TEXT)


class Model(BaseModel):
    id: SessionId


SHOWN: dict[str, Any] = {
    "str": str(ID),
    "repr": repr(ID),
    "format": f"{ID} {ID!s} {ID!r} {ID:>60}",
    "percent": "%s %r" % (ID, ID),  # noqa: UP031 - the old way is what is tested
    "list": str([ID]),
    "pydantic": TypeAdapter(Any).dump_json({"id": ID}).decode(),
    "model": Model(id=ID).model_dump_json() + repr(Model(id=ID)) + str(Model(id=ID).model_dump()),
    "json": json.dumps({"id": ID}, default=str),
    "orjson": orjson.dumps({"id": ID}, default=str).decode(),
    "fastapi": str(jsonable_encoder({"id": ID})),
    "quart": Quart("tests.credentials.test_session_id").json.dumps({"id": ID}),
}


@pytest.mark.parametrize("way", SHOWN)
def test_it_shows_a_mask(way: str) -> None:
    assert "***" in SHOWN[way]
    assert not any(part in SHOWN[way] for part in (TEXT, TEXT[:12], TEXT[-12:]))


@pytest.mark.parametrize("dump", [json.dumps, orjson.dumps, msgspec.json.encode])
def test_serializers_that_take_no_strange_objects_refuse_it(dump: Any) -> None:
    with pytest.raises(TypeError) as caught:
        dump({"id": ID})
    assert TEXT not in str(caught.value)


def test_masks_of_two_ids_differ() -> None:
    """A key of a cache that was made of one by mistake is never shared by two visitors."""
    assert str(SessionId(new_session_id())) != str(ID) == str(SessionId(TEXT))


def test_there_is_one_way_to_its_text() -> None:
    assert ID.get_secret_value() == TEXT
    assert type(ID.get_secret_value()) is str
    assert SessionId(ID).get_secret_value() == TEXT
    held: Any = ID
    for text in ("x", b"x"):
        with pytest.raises(TypeError):
            held + text
        with pytest.raises(TypeError):
            text + held
    with pytest.raises(TypeError):
        held[:2]
    assert not hasattr(held, "encode")


def test_it_equals_its_text_and_nothing_else() -> None:
    assert ID == TEXT == ID == SessionId(TEXT)
    for other in (TEXT[:-1], new_session_id(), SessionId(new_session_id()), "", "\ud800", TEXT.encode(), None, 1):
        assert other != ID
        assert other != ID
    by_id: dict[Any, int] = {ID: 1}
    by_text: dict[Any, int] = {TEXT: 1}
    assert by_id[TEXT] == by_text[ID] == 1
    assert len({ID, TEXT, SessionId(TEXT)}) == 1


def test_it_is_copied_and_not_pickled() -> None:
    assert copy.copy(ID) is ID
    assert copy.deepcopy([ID]) == [ID]
    with pytest.raises(TypeError, match="get_secret_value"):
        pickle.dumps(ID)


def test_it_cannot_be_stored_in_a_session() -> None:
    session = Session(shown=ID)
    with pytest.raises(errors.CodecError, match="SessionId"):
        unit_of(session).collect(session)


async def test_it_is_taken_where_ids_are_taken() -> None:
    one, other = two_nodes()
    async with one.manager.open() as session:
        session["a"] = 1
        await session.commit()
        first = session.id
        session.rotate_id()
        assert type(session.id) is SessionId
        assert session.id != first
    kinds: list[AnyId] = [session.id, session.id.get_secret_value()]
    for known in kinds:
        async with other.manager.open(known) as same:
            assert same == {"a": 1}
            assert same.id == known
    assert first is not None
    async with other.manager.open(first) as gone:
        assert gone == {}


async def test_only_who_asks_for_it_pays_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[SessionId] = []

    def make(text: str) -> SessionId:
        made.append(SessionId(text))
        return made[-1]

    monkeypatch.setattr("wsgessions.session.session.SessionId", make)
    manager = SessionManager(store_url="memory:")
    async with manager.open() as session:
        session["a"] = 1
        await session.commit()
        assert session["a"] == 1
        assert not made
        assert session.id is not None
    assert len(made) == 1
