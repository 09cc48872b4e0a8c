"""django-two-factor-auth over django-otp: a login of two steps, which waits in the session between them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django_otp.decorators import otp_required
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from two_factor.urls import urlpatterns as two_factor_urls

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


@otp_required(login_url="/account/login/")
def vault(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"gold": 3})


urlpatterns = [path("", include(two_factor_urls)), path("vault", vault), path("show", show)]

SITE = {
    "LOGIN_REDIRECT_URL": "/show",
    "LOGIN_URL": "two_factor:login",
    "MIDDLEWARE": [*COMMON, "django_otp.middleware.OTPMiddleware"],
    "ROOT_URLCONF": __name__,
}
STEP = "login_view-current_step"


def enter_password(visitor: Visitor, user: Any) -> int:
    names = {STEP: "auth", "auth-username": user.username, "auth-password": user.username}
    return send(visitor, "/account/login/", **names).status


def enter_token(visitor: Visitor, token: int) -> int:
    return send(visitor, "/account/login/", **{STEP: "token", "token-otp_token": f"{token:06}"}).status


def test_a_login_waits_in_the_session_for_its_second_step(visitor: Visitor, ann: Any) -> None:
    device = TOTPDevice.objects.create(user=ann, name="default")
    assert enter_password(visitor, ann) == 200
    assert user_of(visitor) is None
    assert "wizard_login_view" in visitor.json("/show")["session"]
    assert enter_token(visitor, totp(device.bin_key)) == 302
    assert user_of(visitor) == ann.username
    assert visitor.json("/vault") == {"gold": 3}


def test_a_wrong_token_is_no_login(visitor: Visitor, ann: Any) -> None:
    device = TOTPDevice.objects.create(user=ann, name="default")
    enter_password(visitor, ann)
    assert enter_token(visitor, (totp(device.bin_key) + 1) % 1_000_000) == 200
    assert user_of(visitor) is None
    assert visitor.get("/vault").status == 302


def test_a_login_without_a_device_opens_no_page_that_asks_for_one(visitor: Visitor, ann: Any) -> None:
    assert enter_password(visitor, ann) == 302
    assert user_of(visitor) == ann.username
    assert visitor.get("/vault").status == 302
