"""The task of the supervisor."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wsgessions.settings import StoreUrl

from .places import COLOURS, FRAMEWORKS, Framework, Place

__all__ = ["FIRST_PORT", "STORE_DIRECTORY", "STORE_PORT", "Plan", "Unfit"]

FIRST_PORT: Final = 9081
STORE_DIRECTORY: Final = ".wsgessions"
"""Where the sample's store keeps its files, in the folder that the cart is started in."""
STORE_PORT: Final = 9510
"""The port of the sample's store, if the servers begin at `FIRST_PORT`."""


class Unfit(ValueError):
    """The options are invalid; the text gives the reason and a remedy."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Servers and store of one run."""

    places: tuple[Place, ...]
    store_port: int | None
    """None if an existing store is used."""
    store_url: str

    @classmethod
    def of(cls, servers: str, store_url: str | None, port_base: int) -> Plan:
        """Read the options of the command line.

        Args:
            servers: names of frameworks, comma-separated; a name may come more than once.
            store_url: the store to use; None to start one.
            port_base: the first server's port. The store's port moves along.

        Raises:
            Unfit: for an unknown name, or a store that several processes cannot share.
        """
        if store_url is not None and store_url.startswith("memory:"):
            raise Unfit("memory: lives in one process, and the cart has several; leave --store out to start a store")
        named = [framework_of(name.strip().lower()) for name in servers.split(",")]
        places = tuple(
            Place(framework, port_base + index, COLOURS[index % len(COLOURS)]) for index, framework in enumerate(named)
        )
        store_port = STORE_PORT - FIRST_PORT + port_base if store_url is None else None
        return cls(places, store_port, store_url or f"embedded:{STORE_DIRECTORY}")

    @property
    def ports(self) -> tuple[int, ...]:
        """All ports that must be free."""
        own = () if self.store_port is None else (self.store_port,)
        return (*(place.port for place in self.places), *own)

    @property
    def shown_store(self) -> str:
        """The store's address without user name and password (S-79)."""
        return str(StoreUrl(self.store_url))

    def environment(self, place: Place | None, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The environment of one server, or of the store.

        The children import the same modules as this process, from any working directory.
        """
        environment = {
            **inherited,
            "PYTHONPATH": os.pathsep.join(folder for folder in sys.path if folder),
            "WSGESSIONS_STORE_URL": self.store_url,
            "CART_SERVERS": ",".join(f"{each.framework.name.lower()}:{each.port}" for each in self.places),
        }
        if place is not None:
            environment["CART_PORT"] = str(place.port)
        if self.store_port is not None:
            environment["CART_OWN_STORE"] = "1"
        return environment


def framework_of(name: str) -> Framework:
    if name not in FRAMEWORKS:
        raise Unfit(f"no server is called {name!r}; there are {', '.join(FRAMEWORKS)}")
    return FRAMEWORKS[name]
