"""allauth: logins by its pages and by its headless API, the stages of a login, and its list of a user's sessions."""

from __future__ import annotations

import re
from typing import Any

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.conf import settings as django_settings
from django.core import mail
from django.core.checks import run_checks
from django.test import override_settings
from django.urls import include, path

from tests.packages.django_site import (
    COMMON,
    ON_VALKEY,
    Visitor,
    ann,
    database,
    manager,
    send,
    shared_server,
    show,
    user_of,
    visitor,
)
from wsgessions_django import SessionStore

__all__ = ["ann", "database", "manager", "shared_server", "visitor"]

pytestmark = ON_VALKEY

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
    path("show", show),
]

SITE = {
    "ACCOUNT_EMAIL_VERIFICATION": "none",
    "ACCOUNT_LOGIN_METHODS": {"username"},
    "ACCOUNT_RATE_LIMITS": False,
    "AUTHENTICATION_BACKENDS": ["allauth.account.auth_backends.AuthenticationBackend"],
    "LOGIN_REDIRECT_URL": "/show",
    "MIDDLEWARE": [
        *COMMON,
        "allauth.account.middleware.AccountMiddleware",
        "allauth.usersessions.middleware.UserSessionsMiddleware",
    ],
    "ROOT_URLCONF": __name__,
    "USERSESSIONS_TRACK_ACTIVITY": True,
}
BY_CODE = override_settings(ACCOUNT_EMAIL_VERIFICATION="mandatory", ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED=True)
API = "/_allauth/app/v1/auth"


def log_in(visitor: Visitor, user: Any) -> str:
    """Log in by the page; the path that it leads to."""
    answer = send(visitor, "/accounts/login/", login=user.username, password=user.username)
    assert answer.status == 302, answer
    return answer.headers["location"]


def set_address(user: Any) -> None:
    """Give the user an address that is to be verified."""
    EmailAddress.objects.create(user=user, email=f"{user.username}@example.org", primary=True)


def code_of_the_last_mail() -> str:
    found = re.search(r"^[A-Z0-9-]{6,}$", str(mail.outbox[-1].body), re.MULTILINE)
    assert found, mail.outbox[-1].body
    return found[0]


# -- pages -------------------------------------------------------------------------------------------------------------


def test_a_login_and_a_logout_by_its_pages(visitor: Visitor, ann: Any) -> None:
    """S-06, S-54."""
    assert log_in(visitor, ann) == "/show"
    before = visitor.copy()
    assert user_of(visitor) == ann.username
    assert send(visitor, "/accounts/logout/").status == 302
    assert user_of(visitor) is None
    assert user_of(before) is None


def test_a_wrong_password_is_no_login(visitor: Visitor, ann: Any) -> None:
    assert send(visitor, "/accounts/login/", login=ann.username, password="wrong").status == 200
    assert user_of(visitor) is None


@BY_CODE
def test_a_login_waits_in_the_session_until_its_stage_is_passed(visitor: Visitor, ann: Any) -> None:
    """What allauth keeps of a pending login has members of an enum in it."""
    set_address(ann)
    assert log_in(visitor, ann) == "/accounts/confirm-email/"
    assert user_of(visitor) is None
    assert "account_login" in visitor.json("/show")["session"]
    assert send(visitor, "/accounts/confirm-email/", code=code_of_the_last_mail()).status == 302
    assert user_of(visitor) == ann.username


# -- the headless API, whose clients keep the session's id themselves --------------------------------------------------


def token_of(visitor: Visitor, user: Any) -> str:
    """The session token that a client of the API gets for a login."""
    answer = visitor.get(f"{API}/login", "POST", json={"username": user.username, "password": user.username})
    assert answer.status == 200, answer
    return str(answer.json()["meta"]["session_token"])


def test_the_token_of_a_login_is_the_session_of_later_requests(visitor: Visitor, ann: Any) -> None:
    token = token_of(visitor, ann)
    answer = visitor.get(f"{API}/session", headers={"x-session-token": token})
    assert answer.status == 200, answer
    assert answer.json()["data"]["user"]["username"] == ann.username
    assert SessionStore().exists(token)


def test_its_requests_leave_a_browser_without_cookies(visitor: Visitor, ann: Any) -> None:
    token_of(visitor, ann)
    assert visitor.id is None


def test_a_logout_ends_the_token(visitor: Visitor, ann: Any) -> None:
    headers = {"x-session-token": token_of(visitor, ann)}
    assert visitor.get(f"{API}/session", "DELETE", headers=headers).status == 401
    assert visitor.get(f"{API}/session", headers=headers).status == 410


def test_an_unknown_token_is_no_session(visitor: Visitor) -> None:
    """S-03."""
    answer = visitor.get(f"{API}/session", headers={"x-session-token": "A" * 43})
    assert answer.status == 410


@BY_CODE
def test_a_stage_is_passed_with_the_token_of_the_pending_login(visitor: Visitor, ann: Any) -> None:
    set_address(ann)
    begun = visitor.get(f"{API}/login", "POST", json={"username": ann.username, "password": ann.username})
    assert begun.status == 401, begun
    headers = {"x-session-token": begun.json()["meta"]["session_token"]}
    passed = visitor.get(f"{API}/email/verify", "POST", json={"key": code_of_the_last_mail()}, headers=headers)
    assert passed.status == 200, passed
    headers = {"x-session-token": passed.json()["meta"]["session_token"]}
    assert visitor.get(f"{API}/session", headers=headers).json()["data"]["user"]["username"] == ann.username


# -- the list of sessions ----------------------------------------------------------------------------------------------


def test_its_list_has_the_sessions_as_they_are_and_can_end_them(visitor: Visitor, ann: Any) -> None:
    """S-06: a login notes the id that the session has from then on."""
    other = visitor.another()
    log_in(visitor, ann)
    log_in(other, ann)
    listed = {each.session_key: each for each in UserSession.objects.purge_and_list(ann)}
    assert set(listed) == {visitor.id, other.id}
    listed[other.id].end()
    assert user_of(other) is None
    assert user_of(visitor) == ann.username


def test_its_column_for_ids_is_long_enough_with_the_length_that_a_check_names(visitor: Visitor, ann: Any) -> None:
    """Django's own ids are shorter than those of wsgessions, and databases other than SQLite look at the length."""
    (told,) = [each for each in run_checks(tags=["wsgessions"]) if each.id == "wsgessions.W006"]
    assert "usersessions.UserSession.session_key has room for 40 characters" in told.msg
    with override_settings(WSGESSIONS=django_settings.WSGESSIONS | {"id_length": 40}):
        assert "wsgessions.W006" not in {each.id for each in run_checks(tags=["wsgessions"])}
        log_in(visitor.another(), ann)
    (listed,) = UserSession.objects.filter(user=ann)
    assert len(listed.session_key) == 40
