"""The shop's session: its content, and every change made to it. The same for every framework.

A session is a mapping. This module does not depend on the server, the store, or the transfer: changes, nested ones
included, are detected at the end of the request, and only changed attributes are sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wsgessions import Session

from .catalog import find
from .customer import CUSTOMER

__all__ = ["HISTORY_LENGTH", "UnknownAction", "UnknownItem", "cart_of", "change", "history_of", "look_at"]

HISTORY_LENGTH: Final = 5


class UnknownItem(LookupError):
    """The shop has no product of that sku."""


class UnknownAction(ValueError):
    """The actions of the cart are ``add``, ``remove`` and ``clear``."""


async def change(session: Session, action: str, sku: str) -> None:
    """Carry out an action on the cart.

    Args:
        session: the visitor's session.
        action: ``"add"`` (one more), ``"remove"`` (one less; the line is removed at zero) or ``"clear"`` (``sku`` is
            unused).
        sku: the product.

    Raises:
        UnknownItem: there is no such product.
        UnknownAction: there is no such action.
    """
    if action == "clear":
        session.pop("cart", None)
    elif action not in ("add", "remove"):
        raise UnknownAction(action)
    elif find(sku) is None:
        raise UnknownItem(sku)
    elif action == "add":
        await add(session, sku)
    else:
        remove(session, sku)


async def add(session: Session, sku: str) -> None:
    await greet(session)
    cart = session.setdefault("cart", {})
    cart[sku] = cart.get(sku, 0) + 1  # a change inside the attribute; it need not be assigned again


def remove(session: Session, sku: str) -> None:
    cart = session.get("cart", {})
    if cart.get(sku, 0) > 1:
        cart[sku] -= 1
    else:
        cart.pop(sku, None)


async def look_at(session: Session, sku: str) -> None:
    """Put a product at the head of the browsing history: the last five, each once, newest first."""
    await greet(session)
    session["history"] = [sku, *(seen for seen in history_of(session) if seen != sku)][:HISTORY_LENGTH]


async def greet(session: Session) -> None:
    """Before the first change, store the usual content of a shop's session besides the cart: about 2 kB.

    By a commit of its own, so that already the first change shows in the inspector as the few bytes that it is.
    """
    if "customer" not in session:
        session["customer"] = CUSTOMER
        await session.commit()


def cart_of(session: Mapping[str, Any]) -> dict[str, int]:
    """Quantities by sku, in the order of buying; products that the shop no longer sells are left out."""
    return {sku: quantity for sku, quantity in session.get("cart", {}).items() if find(sku)}


def history_of(session: Mapping[str, Any]) -> list[str]:
    """The recently viewed products, newest first."""
    return [sku for sku in session.get("history", []) if find(sku)]
