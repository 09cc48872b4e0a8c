"""The products of the shop. It does not depend on sessions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["CATALOG", "SHOP", "Category", "Product", "find", "in_category", "money"]

SHOP: Final = "Quillfern"


class Category(Enum):
    """The shop's shelves; the value is the heading."""

    KITCHEN = "Kitchen"
    GARDEN = "Garden"
    DESK = "Desk"


@dataclass(frozen=True, slots=True)
class Product:
    """One thing on sale. Its drawing is the template ``art/{sku}.svg``."""

    sku: str
    name: str
    price: int
    """In cents."""
    category: Category
    about: str


CATALOG: Final = (
    Product("teapot", "Stoneware teapot", 4200, Category.KITCHEN, "Pours without a drip, holds four cups."),
    Product("mug", "Enamel mug", 1250, Category.KITCHEN, "Chips with dignity. For camp fires and long calls."),
    Product("board", "Olive-wood board", 2800, Category.KITCHEN, "One piece of wood, no two alike."),
    Product("jar", "Honey jar", 1400, Category.KITCHEN, "Heather honey under a beech lid, and a dipper."),
    Product("watering-can", "Watering can", 3650, Category.GARDEN, "A long spout for the back of the bed."),
    Product("pot", "Terracotta pot", 1900, Category.GARDEN, "Fired slowly, breathes well, planted with a fern."),
    Product("trowel", "Hand trowel", 1600, Category.GARDEN, "Forged blade, ash handle, made to be lost and found."),
    Product("lantern", "Garden lantern", 5400, Category.GARDEN, "For the end of the path and the start of evening."),
    Product("lamp", "Reading lamp", 7900, Category.DESK, "Leans in when the plot does."),
    Product("notebook", "Linen notebook", 1150, Category.DESK, "Lies flat. 160 pages and a ribbon."),
    Product("pencils", "Pencil pot", 1800, Category.DESK, "Six pencils, and somewhere to keep them."),
    Product("hourglass", "Hourglass", 2250, Category.DESK, "Four minutes of sand: tea, or a short session."),
)

_BY_SKU: Final = {product.sku: product for product in CATALOG}


def find(sku: str) -> Product | None:
    """The product with this ``sku``; None if the shop does not have it."""
    return _BY_SKU.get(sku)


def in_category(category: Category) -> tuple[Product, ...]:
    """The products on one shelf."""
    return tuple(product for product in CATALOG if product.category is category)


def money(cents: int) -> str:
    """A price for display: ``"€42.00"``."""
    return f"€{cents // 100:,}.{cents % 100:02}"
