"""One attribute as a value of a type: validated, tracked, stored as plain data."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator
from typing_extensions import TypedDict

from wsgessions import Session
from wsgessions.codec import encode
from wsgessions.errors import CodecError, SessionClosed, StoreUnavailable
from wsgessions.record import StoredAttributes
from wsgessions.session import unit_of
from wsgessions.session.typed import TypedAttribute


class Color(Enum):
    RED = "r"


class Line(BaseModel):
    sku: str
    quantity: int = 1


class Cart(BaseModel):
    lines: list[Line] = []
    tags: set[str] = set()


@dataclass
class Basket:
    items: list[str] = field(default_factory=list)


class Trip(TypedDict, total=False):
    stops: list[str]


CART = TypedAttribute("cart", Cart)


def stored(**values: Any) -> Session:
    """A session as it comes from the store."""
    session = Session()
    unit_of(session).rebase_onto(
        session, StoredAttributes({name: encode(value, name=name) for name, value in values.items()})
    )
    return session


def test_it_is_made_from_what_is_stored() -> None:
    session = stored(cart={"lines": [{"sku": "tea", "quantity": 2}], "tags": {"gift"}})
    assert CART.of(session) == Cart(lines=[Line(sku="tea", quantity=2)], tags={"gift"})
    assert not session.modified


def test_a_change_at_any_depth_is_stored_as_plain_data() -> None:
    session = stored(cart={"lines": [{"sku": "tea"}]})
    CART.of(session).lines[0].quantity += 1
    assert session.modified
    assert session["cart"] == {"lines": [{"sku": "tea", "quantity": 2}], "tags": set()}


async def test_a_commit_takes_the_changes_along() -> None:
    session = Session()
    CART.of(session).tags.add("gift")
    await session.commit()
    assert session == {"cart": {"lines": [], "tags": {"gift"}}}


def test_what_was_not_changed_is_not_written_although_defaults_are_missing() -> None:
    session = stored(cart={})
    assert CART.of(session) == Cart()
    assert not session.modified
    assert session["cart"] == {}


def test_there_is_one_value_in_a_request() -> None:
    session = stored(cart={})
    assert CART.of(session) is CART.of(session)
    assert TypedAttribute("cart", Cart).of(session) is CART.of(session)


def test_a_second_type_sees_what_was_changed_in_the_first() -> None:
    class Tags(BaseModel):
        tags: set[str]

    session = stored(cart={})
    CART.of(session).tags.add("gift")
    assert TypedAttribute("cart", Tags, default_factory=lambda: Tags(tags=set())).of(session).tags == {"gift"}


def test_a_value_is_tracked_from_commit_to_commit() -> None:
    session = stored(cart={})
    cart = CART.of(session)
    for tag in ("a", "b"):
        cart.tags.add(tag)
        unit_of(session).mark_committed(session, unit_of(session).collect(session), at=unit_of(session).writes)
        assert not session.modified
    assert session["cart"]["tags"] == {"a", "b"}


@pytest.mark.parametrize(
    "end",
    [
        lambda session: session.pop("cart"),
        lambda session: session.clear(),
        lambda session: session.invalidate(),
        lambda session: session.__setitem__("cart", {}),
        lambda session: session.update(cart={}),
    ],
)
def test_who_sets_or_removes_the_attribute_has_the_last_word(end: Callable[[Session], Any]) -> None:
    session = stored(cart={})
    cart = CART.of(session)
    cart.tags.add("gift")
    end(session)
    cart.tags.add("more")
    unit_of(session).collect(session)
    assert session.get("cart", {}) == {}
    assert CART.of(session) == Cart()


def test_what_is_discarded_does_not_come_back() -> None:
    """R-33."""
    session = stored(cart={})
    CART.of(session).tags.add("gift")
    unit_of(session).rollback(session)
    assert not session.modified
    assert CART.of(session) == Cart()


def test_a_refresh_renews_what_was_not_changed_and_keeps_what_was() -> None:
    for change in (False, True):
        session = stored(cart={})
        if change:
            CART.of(session).tags.add("mine")
        else:
            CART.of(session)
        unit_of(session).release_unchanged(session)
        unit_of(session).rebase_onto(session, StoredAttributes({"cart": encode({"tags": {"theirs"}}, name="cart")}))
        assert CART.of(session).tags == ({"mine"} if change else {"theirs"})


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        (Cart, Cart()),
        (Basket, Basket()),
        (Trip, {}),
        (list[Line], []),
        (dict[str, int], {}),
        (Line | None, None),
        (int, 0),
    ],
)
def test_an_absent_attribute_is_what_its_type_gives_without_arguments(kind: Any, default: Any) -> None:
    session = Session()
    assert TypedAttribute("x", kind).of(session) == default
    assert not session.modified
    assert "x" not in session


def test_dataclasses_and_lists_are_tracked_as_models_are() -> None:
    session = Session()
    TypedAttribute("basket", Basket).of(session).items.append("tea")
    TypedAttribute("lines", list[Line]).of(session).append(Line(sku="tea"))
    unit_of(session).collect(session)
    assert session == {"basket": {"items": ["tea"]}, "lines": [{"sku": "tea", "quantity": 1}]}


def test_a_type_without_a_default_is_refused_where_it_is_named() -> None:
    with pytest.raises(TypeError, match="attribute 'line' needs a default_factory"):
        TypedAttribute("line", Line)
    line = TypedAttribute("line", Line, default_factory=lambda: Line(sku="tea"))
    assert line.of(Session()) == Line(sku="tea")


def test_a_name_that_no_attribute_can_have_is_refused() -> None:
    with pytest.raises(CodecError):
        TypedAttribute("_wsg_cart", Cart)


class Rich(BaseModel):
    color: Color = Color.RED
    price: Decimal = Decimal("1.10")
    key: UUID = UUID(int=7)
    at: datetime = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    day: date = date(2026, 1, 2)
    pair: tuple[int, str] = (1, "a")
    raw: bytes = b"\0\xff"
    url: HttpUrl = HttpUrl("https://example.org/a?b=c")
    path: PurePosixPath = PurePosixPath("/srv/data")
    peer: IPv4Address = IPv4Address("192.0.2.1")
    by_number: dict[int, Color] = {1: Color.RED}
    renamed: int = Field(default=1, validation_alias="otherName", serialization_alias="thirdName")


def test_values_of_many_types_come_back_as_they_were() -> None:
    """R-02: what the codec lacks is stored by value or as text, the rest as it is."""
    session = Session()
    rich = TypedAttribute("rich", Rich)
    rich.of(session).renamed = 2
    unit_of(session).collect(session)
    assert session["rich"]["color"] == "r"
    assert session["rich"]["price"] == Decimal("1.10")
    assert session["rich"]["renamed"] == 2
    assert rich.of(stored(rich=session["rich"])) == Rich(otherName=2)  # type: ignore[call-arg]


def test_a_strict_model_is_read_from_what_it_wrote() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True, extra="forbid")
        at: datetime | None = None
        line: Line | None = None

    attribute = TypedAttribute("strict", Strict)
    session = Session()
    attribute.of(session).at = datetime(2026, 1, 2, tzinfo=UTC)
    attribute.of(session).line = Line(sku="tea")
    unit_of(session).collect(session)
    assert attribute.of(stored(strict=session["strict"])) == attribute.of(session)


def test_what_cannot_be_stored_is_refused_by_name() -> None:
    """R-01, S-79: a masked secret would come back as asterisks."""

    class Login(BaseModel):
        password: SecretStr = SecretStr("hunter2")

    with pytest.raises(CodecError, match=r"'login\.password'.*SecretStr") as caught:
        TypedAttribute("login", Login).of(Session())
    assert "hunter2" not in str(caught.value)


def test_what_is_stored_and_not_valid_is_refused_by_name() -> None:
    """R-25, S-80."""
    session = stored(cart={"lines": [{"sku": "tea", "quantity": "a secret"}]}, color="red")
    with pytest.raises(CodecError) as caught:
        CART.of(session)
    assert caught.value.path == "cart.lines[0].quantity"
    assert str(caught.value).endswith("Input should be a valid integer, unable to parse string as an integer")
    assert "a secret" not in "".join(traceback.format_exception(caught.value))
    assert session["color"] == "red"
    assert not session.modified


def test_the_words_of_the_applications_own_validators_are_not_repeated() -> None:
    """S-80: they may quote the value."""

    class Visitor(BaseModel):
        mail: str = "a@b"

        @field_validator("mail")
        @classmethod
        def check(cls, mail: str) -> str:
            if "@" not in mail:
                raise ValueError(f"{mail} is no address")
            return mail

    session = stored(visitor={"mail": "a secret"})
    with pytest.raises(CodecError) as caught:
        TypedAttribute("visitor", Visitor).of(session)
    assert "a secret" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.path == "visitor.mail"


def test_a_change_that_is_not_valid_is_refused_and_nothing_is_written() -> None:
    session = stored(cart={"lines": []})
    CART.of(session).lines.append("no line")  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(CodecError) as caught:
            unit_of(session).collect(session)
        assert caught.value.path == "cart.lines[0]"
    assert session["cart"] == {"lines": []}


def test_a_session_that_could_not_be_loaded_has_no_typed_values() -> None:
    """F-00a: not even the default."""
    session = Session()
    unit_of(session).fail_with(session, lambda: StoreUnavailable("the store did not answer"))
    with pytest.raises(StoreUnavailable):
        CART.of(session)


def test_a_change_after_the_last_moment_is_an_error() -> None:
    """R-38."""
    session = Session()
    cart = CART.of(session)
    unit_of(session).response_started(takes_late_changes=True)
    cart.tags.add("late")
    with pytest.raises(SessionClosed):
        unit_of(session).collect(session)
