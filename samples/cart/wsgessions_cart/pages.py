"""The shop's pages, rendered from one set of templates for every framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from wsgessions import Session

from .cart import cart_of, history_of
from .catalog import CATALOG, SHOP, Category, Product, in_category, money
from .experiments import BALLAST, race_of
from .guard import may_control
from .inspection import inspect, quantity_of_bytes
from .neighbours import answers, wait_until
from .notices import killed_server, note_of, notice_of
from .places import Place, Servers, visitor_host

__all__ = ["Pages"]

_KILLED_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the cart."""

    product: Product
    quantity: int

    @property
    def amount(self) -> int:
        return self.product.price * self.quantity


@dataclass(frozen=True, slots=True)
class CartView:
    """The cart on the page."""

    lines: tuple[Line, ...]

    @property
    def count(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines)

    def quantity_of(self, sku: str) -> int:
        return sum(line.quantity for line in self.lines if line.product.sku == sku)


@dataclass(frozen=True, slots=True)
class OtherServer:
    """Another server on the page: a link to the same page there, if it is up."""

    place: Place
    url: str
    up: bool


class Pages:
    """Renders pages for one server of the sample."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        environment = Environment(
            loader=PackageLoader("wsgessions_cart"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        cast("dict[str, Any]", environment.globals).update(
            shop=SHOP, categories=list(Category), shelf=in_category, money=money, bytes=quantity_of_bytes
        )
        self._environment = environment

    async def goods(self, scope: Mapping[str, Any]) -> str:
        """The shop: all goods, the cart, the history, the server and the inspector."""
        return await self._render("cart.html", scope)

    async def product(self, scope: Mapping[str, Any], product: Product) -> str:
        """One product, beside the same boxes."""
        # The response's start would commit the changes; an earlier commit lets the inspector show it.
        await _session(scope).commit()
        return await self._render("product.html", scope, product=product)

    async def missing(self, scope: Mapping[str, Any]) -> str:
        """The page for a missing address."""
        await _session(scope).load()  # paths without a session can be missing too
        return await self._render("missing.html", scope)

    def outage(self, path: str) -> str:
        """The page in place of a 503, which nothing of the session is needed for.

        Args:
            path: the page that it leads back to.
        """
        return self._environment.get_template("outage.html").render(here=self.servers.here, path=path)

    def summary(self, scope: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of ``/Cart/session.json``."""
        session, here = _session(scope), self.servers.here
        last = inspect(session).last
        return {
            "server": here.framework.title,
            "port": here.port,
            "session": session.ref,
            "version": session.version,
            "cart": cart_of(session),
            "history": history_of(session),
            "served_from": session.served_from.value,
            "bytes_sent": last.sent if last else 0,
            "bytes_whole": last.whole if last else 0,
        }

    async def _render(self, template: str, scope: Mapping[str, Any], **more: Any) -> str:
        session = _session(scope)
        others = await self._others(scope)
        note = note_of(scope)
        context: dict[str, Any] = {
            "here": self.servers.here,
            "others": others,
            "may_restart": may_control(scope, self.servers),
            "may_kill": may_control(scope, self.servers) and any(other.up for other in others),
            "notice": None if _is_over(killed_server(note, self.servers), others) else notice_of(note, self.servers),
            "cart": CartView(tuple(Line(PRODUCTS[sku], quantity) for sku, quantity in cart_of(session).items())),
            "history": [PRODUCTS[sku] for sku in history_of(session)],
            "inspection": inspect(session),
            "ballast": BALLAST in session,
            "may_pause": may_control(scope, self.servers) and self.servers.own_store,
            "may_race": not session.is_new and any(other.up for other in others),
            "race": race_of(self.servers, session) if note == "raced" else None,
        }
        return self._environment.get_template(template).render(context | more)

    async def _others(self, scope: Mapping[str, Any]) -> list[OtherServer]:
        killed = killed_server(note_of(scope), self.servers)
        if killed is not None:
            await wait_until(killed, up=False, seconds=_KILLED_SECONDS)
        host, path = visitor_host(scope), quote(scope["path"])
        return [OtherServer(place, place.url(host, path), await answers(place)) for place in self.servers.others]


def _is_over(killed: Place | None, others: list[OtherServer]) -> bool:
    """Whether the killed server in the address is up again, because the visitor has returned to an old address."""
    return any(other.place == killed and other.up for other in others)


def _session(scope: Mapping[str, Any]) -> Session:
    session: Session = scope["session"]
    return session


PRODUCTS: Final = {product.sku: product for product in CATALOG}
