"""``python -m wsgessions_cart`` is ``wsgessions cart``."""

from __future__ import annotations

import sys

from wsgessions.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "cart")
    main()
