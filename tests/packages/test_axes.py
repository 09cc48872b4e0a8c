"""django-axes: it counts failed logins, and notes the session of each login, so that a logout finds it again."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from axes.models import AccessLog
from django.contrib.auth import authenticate, login
from django.contrib.auth.views import LogoutView
from django.http import HttpRequest, HttpResponse
from django.urls import path

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

__all__ = ["ann", "database", "manager", "shared_server", "visitor"]

pytestmark = ON_VALKEY


def enter(request: HttpRequest) -> HttpResponse:
    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    if user is None:
        return HttpResponse("not this one", status=403)
    login(request, user)
    return show(request)


urlpatterns = [
    path("login", enter),
    path("logout", LogoutView.as_view(next_page="/show")),
    path("show", show),
]

SITE = {
    "AUTHENTICATION_BACKENDS": ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"],
    "AXES_ENABLED": True,
    "AXES_FAILURE_LIMIT": 2,
    "AXES_LOCKOUT_PARAMETERS": ["username"],
    "MIDDLEWARE": [*COMMON, "axes.middleware.AxesMiddleware"],
    "ROOT_URLCONF": __name__,
}


def log_in(visitor: Visitor, user: Any, password: str = "") -> int:
    return send(visitor, "/login", username=user.username, password=password or user.username).status


def test_a_login_is_noted_with_the_id_that_the_session_has_then(visitor: Visitor, ann: Any) -> None:
    assert log_in(visitor, ann) == 200
    assert user_of(visitor) == ann.username
    noted = AccessLog.objects.get(username=ann.username)
    assert noted.session_hash == sha256(str(visitor.id).encode()).hexdigest()


def test_a_logout_is_noted_for_its_own_login(visitor: Visitor, ann: Any) -> None:
    other = visitor.another()
    assert [log_in(each, ann) for each in (visitor, other)] == [200, 200]
    send(visitor, "/logout")
    ended = {log.session_hash: log.logout_time is not None for log in AccessLog.objects.filter(username=ann.username)}
    assert sorted(ended.values()) == [False, True]
    assert ended[sha256(str(other.id).encode()).hexdigest()] is False


def test_too_many_wrong_passwords_lock_the_user_out(visitor: Visitor, ann: Any) -> None:
    assert [log_in(visitor, ann, "wrong") for _ in range(2)] == [403, 429]
    assert log_in(visitor, ann) == 429
    assert user_of(visitor) is None
