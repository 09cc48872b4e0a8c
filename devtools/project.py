"""What the project says of itself."""

from __future__ import annotations

import tomllib
from typing import Any

from devtools.console import ROOT


def declared() -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())
