"""What every test of the project stands on."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A deadline would measure the machine, not the code. In CI the examples are the same on every run, so that a red run
# can be repeated; on a developer's machine they differ, so that new ones are found.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
