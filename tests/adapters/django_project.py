"""The project that the tests of Django run in. Django takes its settings once in a process, so all tests share them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import django
from django.conf import settings

__all__ = ["MAIL_IN_MEMORY", "configure"]

_IN_MEMORY: Final = "django.core.mail.backends.locmem.EmailBackend"
_ANN: Final = "ann@example.org"
MAIL_IN_MEMORY: Final[dict[str, Any]] = {
    "ADMINS": [_ANN if django.VERSION >= (6, 0) else ("Ann", _ANN)],
    **(
        {"MAILERS": {"default": {"BACKEND": _IN_MEMORY}}} if django.VERSION >= (6, 1) else {"EMAIL_BACKEND": _IN_MEMORY}
    ),
}
"""The settings by which Django keeps mails to an administrator in ``django.core.mail.outbox``."""


def configure(**changed: Any) -> None:
    """Have Django configured; the second time it does nothing. Tests change single settings by `override_settings`.

    Args:
        changed: settings that differ, in a program of its own.
    """
    if settings.configured:
        return
    given: dict[str, Any] = {
        "ALLOWED_HOSTS": ["testserver", "localhost", "127.0.0.1"],
        "AUTH_PASSWORD_VALIDATORS": [],
        "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": _make_place() / "users"}},
        "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",
        "INSTALLED_APPS": [
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "wsgessions_django",
        ],
        "LOGIN_URL": "/login",
        "LOGGING_CONFIG": None,
        "MIDDLEWARE": ["wsgessions_django.SessionMiddleware"],
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
        "ROOT_URLCONF": "tests.adapters.django_app",
        "SECRET_KEY": "for tests only",
        "SESSION_ENGINE": "wsgessions_django",
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        "USE_TZ": True,
        # Without the idle time, sessions and cookies would have Django's lifetime, two weeks.
        "WSGESSIONS": {"store_url": "memory:", "max_inactive_interval": "30m"},
    }
    settings.configure(**{**given, **changed})
    django.setup()


def _make_place() -> Path:
    """A folder for this process. In memory, each of Django's threads would have a database of its own."""
    place = tempfile.mkdtemp(prefix="wsgessions-tests-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return Path(place)
