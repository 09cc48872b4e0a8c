"""The model of live sessions, which has no table."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Creates nothing in the database but, as after every migration, the permissions."""

    initial = True
    dependencies: ClassVar = []
    operations: ClassVar = [
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
