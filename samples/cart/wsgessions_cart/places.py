"""The servers of the sample, the one that this process is, and the addresses of the others for a browser."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Self

__all__ = ["BIND_HOST", "COLOURS", "FRAMEWORKS", "Framework", "Place", "Servers", "visitor_host"]

BIND_HOST: Final = "127.0.0.1"
"""The sample serves this machine only: its session cookie travels unencrypted, and it has a button that kills it."""

COLOURS: Final = ("goldenrod", "darkseagreen", "lightskyblue", "plum")
"""The ports of the first server, the second, and so on; the first two are those of the guide."""

_HOST_NAME: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")


class Framework(Enum):
    """A framework that the cart is written in: the name for people, and the application for uvicorn."""

    FASTAPI = ("FastAPI", "wsgessions_cart.fastapi_app:app")
    DJANGO = ("Django", "wsgessions_cart.django_app:app")
    STARLETTE = ("Starlette", "wsgessions_cart.starlette_app:app")
    LITESTAR = ("Litestar", "wsgessions_cart.litestar_app:app")
    QUART = ("Quart", "wsgessions_cart.quart_app:app")

    @property
    def title(self) -> str:
        return self.value[0]

    @property
    def application(self) -> str:
        return self.value[1]


FRAMEWORKS: Final = {framework.name.lower(): framework for framework in Framework}
"""By the name that ``--servers`` takes."""


@dataclass(frozen=True, slots=True)
class Place:
    """One server of the sample."""

    framework: Framework
    port: int
    colour: str

    @property
    def label(self) -> str:
        """The name for display: ``"FastAPI :9081"``."""
        return f"{self.framework.title} :{self.port}"

    def url(self, host: str, path: str) -> str:
        """An address on this server under the visitor's own host name.

        Cookies of ``localhost`` do not reach ``127.0.0.1``: a link that changed the name would lose the session.
        """
        return f"http://{host}:{self.port}{path}"


@dataclass(frozen=True, slots=True)
class Servers:
    """All servers of the sample, from the view of one of them."""

    here: Place
    others: tuple[Place, ...]
    supervised: bool
    """Whether a supervisor listens, which can start servers again."""
    own_store: bool = False
    """Whether the store is the sample's own, so that it may be stopped."""

    @classmethod
    def from_environment(cls, default: Framework, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the supervisor's variables: ``CART_SERVERS=fastapi:9081,django:9082``, ``CART_PORT=9081``, and
        ``CART_OWN_STORE`` if the supervisor has started the store.

        Without them, the application runs under another server, without the other servers of the sample.
        """
        declared = environment.get("CART_SERVERS", f"{default.name.lower()}:9081")
        places = parse_places(declared)
        port = int(environment.get("CART_PORT", places[0].port))
        here = next(place for place in places if place.port == port)
        others = tuple(place for place in places if place != here)
        own_store = "CART_OWN_STORE" in environment
        return cls(here, others, supervised="CART_SERVERS" in environment, own_store=own_store)

    def at(self, port: int) -> Place | None:
        """The server on this port, or None."""
        return next((place for place in (self.here, *self.others) if place.port == port), None)


def parse_places(declared: str) -> tuple[Place, ...]:
    named = (entry.split(":") for entry in declared.split(","))
    return tuple(
        Place(FRAMEWORKS[name], int(port), COLOURS[index % len(COLOURS)]) for index, (name, port) in enumerate(named)
    )


def visitor_host(scope: Mapping[str, Any]) -> str:
    """The host name in the visitor's address bar, without the port; ``localhost`` if the request names none."""
    fields = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"host"]
    match = _HOST_NAME.fullmatch(fields[0]) if fields else None
    return match["name"] if match else "localhost"
