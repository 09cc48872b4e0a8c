"""Values that must be seen nowhere (S-79, S-80)."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgessions.testing.fixtures.captured_frames import FrameWatch

__all__ = ["PASSWORD", "VALUE", "Canary"]

VALUE = "canary-value-7f3a"
PASSWORD = "canary-password-55aa"


class Canary(FrameWatch):
    """Knows them, and leaves out the frames of tests."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__(patch, VALUE, PASSWORD, left_out=(str(Path(__file__).parent),))
