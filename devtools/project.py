"""The metadata of the project."""

from __future__ import annotations

import tomllib
from typing import Any

from devtools.console import ROOT


def declared() -> dict[str, Any]:
    """The content of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())
