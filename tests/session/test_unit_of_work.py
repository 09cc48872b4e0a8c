"""The pending changes of a unit of work are known without fail: otherwise a change would be lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.two_managers import manager_at
from wsgessions import Session
from wsgessions.codec import encode
from wsgessions.credentials.presented import PresentedCredentials
from wsgessions.manager import SessionManager
from wsgessions.record import SessionKey, SessionRecord, StoredAttributes
from wsgessions.session import UnitOfWork, unit_of
from wsgessions.session.typed import TypedAttribute


@dataclass
class Basket:
    items: list[str] = field(default_factory=list)


BASKET = TypedAttribute("basket", Basket)

CHANGES: dict[str, Callable[[Session], object]] = {
    "an attribute is set": lambda session: session.update(colour="red"),
    "an attribute is removed": lambda session: session.pop("list"),
    "a value changes in place": lambda session: session["list"].append(4),
    "a typed value changes": lambda session: BASKET.of(session).items.append("tea"),
    "the idle timeout is set": lambda session: setattr(session, "max_inactive_interval", timedelta(minutes=1)),
    "the id is rotated": lambda session: session.rotate_id(),
    "a user is bound": lambda session: session.bind_user("ada"),
    "the user is unbound": lambda session: session.bind_user(None),
    "the session is ended": lambda session: session.invalidate(),
}


def begun(manager: SessionManager) -> tuple[Session, UnitOfWork]:
    """The session of a request, with one attribute that can change in place."""
    session = manager.requests.begin(PresentedCredentials("a" * 32))
    unit = unit_of(session)
    stored = StoredAttributes({"list": encode([1, 2, 3], name="list")})
    unit.attach(
        session,
        SessionRecord(
            key=SessionKey(1, b"d" * 16),
            incarnation=7,
            version=1,
            created_ms=0,
            expires_ms=1,
            interval_ms=1,
            deadline_ms=1,
            attributes=stored,
        ),
    )
    return session, unit


@pytest.mark.parametrize("change", CHANGES)
def test_after_a_change_something_is_pending(change: str) -> None:
    session, unit = begun(manager_at("memory:", "units"))
    CHANGES[change](session)
    assert unit.is_pending
    assert unit.baseline or unit.may_be_pending, "what the hot path asks in its place"


def test_after_reading_what_cannot_change_in_place_nothing_is_pending() -> None:
    session = Session()
    unit = unit_of(session)
    unit.rebase_onto(session, StoredAttributes({"number": encode(1, name="number")}))
    assert session["number"] == 1
    assert not unit.is_pending
    assert not unit.baseline
    assert not unit.may_be_pending
