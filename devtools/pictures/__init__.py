"""The diagrams of docs/images/, drawn by programs: `./dev docs --pictures` makes the files anew.

`drawing.py` is the visual language that they share; each other file is one diagram, and has its facts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from devtools.pictures import (
    architecture,
    coherence,
    deployments,
    session_life,
    store_outage,
    trust_boundaries,
    two_cookies,
)
from devtools.pictures.drawing import Picture

__all__ = ["PICTURES", "write_pictures"]

PICTURES: Final[dict[str, Picture]] = {
    "architecture.svg": architecture.draw(),
    "coherence.svg": coherence.draw(),
    "deployments.svg": deployments.draw(),
    "session-life.svg": session_life.draw(),
    "store-outage.svg": store_outage.draw(),
    "trust-boundaries.svg": trust_boundaries.draw(),
    "two-cookies.svg": two_cookies.draw(),
}
"""Each picture, by the name of its file."""


def write_pictures(folder: Path) -> None:
    """Make the files."""
    for name, picture in PICTURES.items():
        (folder / name).write_text(picture.svg())
