"""The project that this suite's tests of Django packages run in, with the applications of all of them."""

from __future__ import annotations

from typing import Final

from tests.adapters.django_project import MAIL_IN_MEMORY, configure

__all__ = ["COMMON"]

COMMON: Final = [
    "wsgessions_django.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
"""The middleware that the packages expect before their own."""

configure(
    AXES_ENABLED=False,
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "django.contrib.staticfiles",
        "wsgessions_django",
        "allauth",
        "allauth.account",
        "allauth.headless",
        "allauth.usersessions",
        "axes",
        "debug_toolbar",
        "django_otp",
        "django_otp.plugins.otp_static",
        "django_otp.plugins.otp_totp",
        "mozilla_django_oidc",
        "rest_framework",
        "social_django",
        "two_factor",
    ],
    MIDDLEWARE=[*COMMON, "allauth.account.middleware.AccountMiddleware"],  # which allauth looks for at its start
    STATIC_URL="static/",
    TIME_ZONE="UTC",
    **MAIL_IN_MEMORY,
)
