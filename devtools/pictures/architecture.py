"""The parts of a clustered session, and what passes between them."""

from __future__ import annotations

from devtools.pictures.drawing import WIDTH, Picture, label, note

_MARGIN = 12
_CARD = 240


def draw() -> Picture:
    """Browsers, servers with hot sessions in memory, and the store."""
    picture = Picture(
        "Architecture: any server serves any session",
        "Browsers send each request to any of the servers. In each server the session middleware stands around the "
        "application and keeps hot sessions in memory, which it reads without a round trip. All servers share one "
        "store, a Valkey or Redis. A change sends the store only what changed, and the store sends the other servers a "
        "message that their copy is old.",
        468,
    )
    full = WIDTH - 2 * _MARGIN
    picture.box(_MARGIN, 12, full, 56, "plain", label("browsers"), note("any request may reach any server"))
    for number, (x, framework) in enumerate(((_MARGIN, "FastAPI"), (WIDTH - _MARGIN - _CARD, "Django")), 1):
        centre = x + _CARD / 2
        picture.arrow((centre, 68), (centre, 108), both=True)
        picture.card(x, 110, _CARD, 208, "server", label(f"server {number}"))
        picture.card(x + 12, 148, _CARD - 24, 158, "paper", label("session middleware"))
        picture.box(x + 22, 184, _CARD - 44, 50, "plain", label("your application"), note(framework))
        picture.box(x + 22, 244, _CARD - 44, 52, "memory", label("hot sessions"), note("read without a round trip"))
        picture.arrow((x + 28, 318), (x + 28, 394))
        picture.push((x + _CARD - 28, 396), (x + _CARD - 28, 320))
    picture.write(_MARGIN + 40, 348, note("one script:"), note("only what changed"))
    right = WIDTH - _MARGIN - 40
    picture.write(right, 348, note("a message:", "push"), note("your copy is old", "push"), anchor="end")
    picture.box(_MARGIN, 396, full, 60, "store", label("Valkey or Redis"), note("every session, in memory and on disk"))
    return picture
