"""The model of live sessions, which has no table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Creates nothing in the database but, as after every migration, the permissions."""

    initial: ClassVar[bool | None] = True
    dependencies: ClassVar[Sequence[tuple[str, str]]] = []
    operations: ClassVar[Sequence[Operation]] = [
        migrations.CreateModel(
            name="LiveSession",
            fields=[("ref", models.CharField(max_length=12, primary_key=True, serialize=False))],
            options={
                "verbose_name": "live session",
                "verbose_name_plural": "live sessions",
                "default_permissions": ("view", "delete"),
                "managed": False,
            },
        ),
    ]
