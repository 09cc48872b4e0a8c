"""A site with the admin and the page "your devices", which remembers what browser a login came from."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model, login
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.adapters.django_project import configure
from wsgessions_django import get_session
from wsgessions_django.devices import remember_user_agent
from wsgessions_django.views import your_devices

configure()


def enter(request: HttpRequest, name: str) -> HttpResponse:
    users: Any = get_user_model().objects
    login(request, users.get_by_natural_key(name))
    return HttpResponse(name)


def mine(request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_session(request).principal or "nobody")


def shop(request: HttpRequest) -> HttpResponse:
    """A visitor who is nobody, or a user of another application that shares the sessions."""
    request.session["user_agent"] = "a visitor"
    if "as" in request.GET:
        get_session(request).bind_user(request.GET["as"])
    return HttpResponse()


user_logged_in.connect(remember_user_agent)

urlpatterns = [
    path("admin/", admin.site.urls),
    path("devices/", your_devices),
    path("enter/<str:name>/", enter),
    path("mine/", mine),
    path("shop/", shop),
]
