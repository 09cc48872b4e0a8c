"""Debug pages and error mails during the migration of sessions of another engine.

Django masks the cookie that ``SESSION_COOKIE_NAME`` names. During the migration that is the new one, and the old one is
still a credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from django.conf import settings as django_settings
from django.views.debug import SafeExceptionReporterFilter, get_default_exception_reporter_filter

__all__ = ["OldCookieFilter", "is_masking", "mask_old_cookie", "old_cookie_name"]

_DJANGOS: Final = "django.views.debug.SafeExceptionReporterFilter"
_OURS: Final = "wsgessions_django.reports.OldCookieFilter"


class OldCookieFilter(SafeExceptionReporterFilter):
    """Django's filter, which masks the old cookie too.

    ``wsgessions_django.TakeoverMiddleware`` installs it in place of Django's own. A project with its own filter, by the
    setting ``DEFAULT_EXCEPTION_REPORTER_FILTER`` or for single requests, makes it inherit from this one.
    """

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        """As Django's method, which masks cookies as well as settings."""
        return self.cleansed_substitute if key == old_cookie_name() else super().cleanse_setting(key, value)


def old_cookie_name() -> str | None:
    """The name of the cookie of the old sessions; None without a migration."""
    plan = getattr(django_settings, "WSGESSIONS_TAKEOVER", None)
    return cast("Mapping[str, str]", plan).get("cookie", "sessionid") if isinstance(plan, Mapping) else None


def mask_old_cookie() -> None:
    """Make Django's reports mask the old cookie, unless the project has set its own filter."""
    if django_settings.DEFAULT_EXCEPTION_REPORTER_FILTER == _DJANGOS:
        django_settings.DEFAULT_EXCEPTION_REPORTER_FILTER = _OURS
        cast("Any", get_default_exception_reporter_filter).cache_clear()


def is_masking(found: object) -> bool:
    """Whether reports made by this filter, or by Django's own, mask the old cookie."""
    is_stock = found is SafeExceptionReporterFilter
    return is_stock or (isinstance(found, type) and issubclass(found, OldCookieFilter))
