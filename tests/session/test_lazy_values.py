"""No serializer that reads a dict's own storage ever shows the placeholder."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pydantic_core
import pytest
from pydantic import BaseModel, TypeAdapter

from wsgessions.codec import encode
from wsgessions.errors import CodecError
from wsgessions.record import StoredAttributes
from wsgessions.session import Session, unit_of
from wsgessions.session.lazy_values import LazyValue

SECRET = "correct horse battery staple"
VALUES: dict[str, Any] = {"cart": [1, {"a": [2, 3], "d": 1.5}], "user": {"name": SECRET}, "n": None, "plain": "text"}


class Holder(BaseModel):
    anything: Any


class Storage(dict[str, Any]):
    """A dict whose Python methods must not be needed."""

    def items(self) -> Any:
        raise AssertionError

    keys = values = __iter__ = items


def placeholder(name: str) -> LazyValue:
    return LazyValue.of(encode(VALUES[name], name=name), name)


def storage() -> Storage:
    stored = Storage()
    dict.update(stored, {name: "text" if name == "plain" else placeholder(name) for name in VALUES})
    return stored


SERIALIZERS: dict[str, Callable[[Any], Any]] = {
    "msgspec JSON": lambda value: json.loads(msgspec.json.encode(value)),
    "msgspec MessagePack": lambda value: msgspec.msgpack.decode(msgspec.msgpack.encode(value)),
    "msgspec builtins": msgspec.to_builtins,
    "orjson": lambda value: json.loads(orjson.dumps(value)),
    "pydantic JSON": lambda value: json.loads(TypeAdapter(Any).dump_json(value)),
    "pydantic JSON objects": lambda value: TypeAdapter(Any).dump_python(value, mode="json"),
    "pydantic Python": lambda value: TypeAdapter(Any).dump_python(value),
    "pydantic typed": lambda value: TypeAdapter(dict[str, Any]).dump_python(value),
    "pydantic nested": lambda value: TypeAdapter(list[Any]).dump_python([value])[0],
    "pydantic model": lambda value: Holder(anything=value).model_dump()["anything"],
    "pydantic model JSON": lambda value: json.loads(Holder(anything=value).model_dump_json())["anything"],
    "pydantic_core": pydantic_core.to_jsonable_python,
}


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_serializers_in_c_write_the_value_and_not_the_placeholder(serializer: str) -> None:
    assert SERIALIZERS[serializer](storage()) == VALUES


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_unreadable_bytes_are_an_error_there_too_and_never_left_out(serializer: str) -> None:
    stored = Storage()
    dict.update(stored, {"cart": LazyValue.of(b"\xc1", "cart")})
    with pytest.raises(
        (CodecError, pydantic_core.PydanticSerializationError, TypeError), match=r"CorruptValue|corrupt"
    ):
        SERIALIZERS[serializer](stored)


def test_each_look_at_the_value_gives_an_object_of_its_own() -> None:
    cart = placeholder("cart")
    cart.decoded().append("changed")
    cart.value.append("changed")
    assert cart.decoded() == cart.value == VALUES["cart"]


def test_it_shows_its_name_and_nothing_of_the_value() -> None:
    user = placeholder("user")
    assert repr(user) == str(user) == f"{user}" == "<LazyValue attribute 'user': dict(session) has its value>"
    assert user.name == "user"
    assert user.raw == encode(VALUES["user"], name="user")


def test_it_is_equal_to_itself_only_and_belongs_to_no_list_of_members() -> None:
    one, other = placeholder("cart"), placeholder("cart")
    assert one == one  # noqa: PLR0124 - that is the question
    assert one != other
    assert len({one, other}) == 2
    posing: Any = LazyValue
    assert list(posing) == []


def pickled(value: LazyValue) -> LazyValue:
    twin = pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes
    assert isinstance(twin, LazyValue)
    return twin


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_copies_hold_the_same_bytes(duplicate: Callable[[LazyValue], LazyValue]) -> None:
    assert duplicate(placeholder("cart")).value == VALUES["cart"]


def test_its_bytes_cannot_be_replaced() -> None:
    with pytest.raises(AttributeError):
        placeholder("cart").raw = b""  # type: ignore[misc]


def test_a_session_raises_for_unreadable_bytes_and_never_hands_out_what_stands_for_them() -> None:
    attributes = Session()
    unit_of(attributes).rebase_onto(attributes, StoredAttributes({"cart": b"\xc1", "plain": b"\x01"}))
    for look in (lambda: attributes["cart"], lambda: attributes.get("cart"), attributes.items, attributes.copy):
        with pytest.raises(CodecError, match="'cart'"):
            look()
    assert attributes["plain"] == 1
