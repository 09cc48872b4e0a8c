"""The model that stands for live sessions in the admin. There is no table: sessions are in no database."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

__all__ = ["LiveSession"]


class LiveSession(models.Model):
    """Stands for the live sessions in the admin and among the permissions. It has no objects."""

    ref: models.CharField[str, str] = models.CharField(primary_key=True, max_length=12)

    class Meta:  # noqa: D106 - a name of Django's
        managed = False
        default_permissions: ClassVar[tuple[str, ...]] = ("view", "delete")
        verbose_name = "live session"
        verbose_name_plural = "live sessions"

    def __str__(self) -> str:
        return str(self.ref)
