"""The content of a shop's session besides the cart, so that the sample's session has a realistic size: about 2 kB.

It never changes, so it is sent once, when the session is created; every later request sends its own few bytes.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["CUSTOMER"]

CUSTOMER: Final[dict[str, Any]] = {
    "name": "Robin Fairweather",
    "email": "robin@shop.example",
    "language": "en-GB",
    "currency": "EUR",
    "time_zone": "Europe/Lisbon",
    "addresses": [
        {
            "label": "Home",
            "lines": ["Robin Fairweather", "14 Harbour Steps", "Second floor, the blue door"],
            "post_code": "1200-109",
            "city": "Lisbon",
            "country": "PT",
            "phone": "+351 555 0114",
            "note": "Please ring twice; the bell is older than the house and somewhat slower.",
        },
        {
            "label": "Allotment",
            "lines": ["Plot 27, Upper Terraces", "Behind the water tower"],
            "post_code": "2710-405",
            "city": "Sintra",
            "country": "PT",
            "phone": "+351 555 0127",
            "note": "Leave parcels in the green box beside the shed. The goose is friendly, mostly.",
        },
        {
            "label": "Office",
            "lines": ["Fairweather & Daughters, Surveyors", "3 Lantern Yard", "Goods entrance on the left"],
            "post_code": "4050-253",
            "city": "Porto",
            "country": "PT",
            "phone": "+351 555 0103",
            "note": "Weekdays from nine to five, closed for lunch between one and two.",
        },
    ],
    "delivery": {"carrier": "bicycle", "days": ["Tuesday", "Friday"], "gift_wrap": False, "neighbour": True},
    "consents": {
        "newsletter": "2026-02-11T09:14:03Z",
        "recommendations": "2026-02-11T09:14:03Z",
        "statistics": None,
        "terms": {"version": "2026-01", "accepted": "2026-02-11T09:13:41Z"},
    },
    "loyalty": {"tier": "seedling", "points": 1840, "since": "2021-05-02", "vouchers": ["SPRING-4", "FERN-10"]},
    "saved_for_later": ["lantern", "hourglass", "trowel"],
    "searches": [
        "teapot that does not drip",
        "something for a north-facing balcony",
        "reading lamp, not white",
        "wide trowel or narrow spade",
        "present for somebody who has everything",
        "honey",
    ],
    "experiments": {
        "checkout-one-page": "control",
        "larger-pictures": "variant-b",
        "quiet-banner": "variant-a",
        "delivery-slots": "control",
        "search-suggestions": "variant-c",
    },
    "orders": [
        {"number": "Q-20417", "placed": "2026-09-30", "total": 6100, "items": ["pot", "teapot"], "state": "delivered"},
        {"number": "Q-19960", "placed": "2026-07-18", "total": 1250, "items": ["mug"], "state": "delivered"},
        {"number": "Q-18233", "placed": "2026-03-02", "total": 9150, "items": ["lamp", "mug"], "state": "returned"},
        {"number": "Q-17001", "placed": "2025-12-08", "total": 4700, "items": ["board", "pot"], "state": "delivered"},
    ],
    "campaign": {"source": "letter", "medium": "print", "name": "autumn-catalogue", "landing": "/Cart/product/pot"},
}
