"""Django REST framework: its login by the session, and what its serializers make as a value of the session."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model, login
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework import serializers, status
from rest_framework.authentication import SessionAuthentication
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from tests.packages.django_site import COMMON, ON_VALKEY, Visitor, ann, database, manager, shared_server, show, visitor

__all__ = ["ann", "database", "manager", "shared_server", "visitor"]

pytestmark = ON_VALKEY


class LineSerializer(serializers.Serializer):
    item = serializers.CharField()
    price = serializers.DecimalField(max_digits=6, decimal_places=2)


class OrderSerializer(serializers.Serializer):
    lines = LineSerializer(many=True)
    due = serializers.DateTimeField()


@api_view(["GET", "POST"])
@authentication_classes([SessionAuthentication])
@permission_classes([IsAuthenticated])
def order(request: Request) -> Response:
    if request.method == "POST":
        given = OrderSerializer(data=request.data)
        if not given.is_valid():
            request.session["errors"] = given.errors
            return Response(given.errors, status=status.HTTP_400_BAD_REQUEST)
        request.session["order"] = given.data
        request.session["checked"] = given.validated_data
    return Response({name: request.session.get(name) for name in ("order", "checked", "errors")})


def enter(request: HttpRequest, name: str) -> HttpResponse:
    login(request, get_user_model().objects.get(username=name))
    return show(request)


urlpatterns = [path("order", order), path("enter/<name>", enter), path("show", show)]

SITE = {"MIDDLEWARE": COMMON, "ROOT_URLCONF": __name__}
ORDER = {"lines": [{"item": "tea", "price": "4.20"}], "due": "2026-12-01T00:00:00Z"}


def test_an_api_is_closed_to_visitors_without_a_login(visitor: Visitor) -> None:
    assert visitor.get("/order").status == 403
    assert visitor.get("/order", "POST", json=ORDER).status == 403


def test_a_login_opens_it_and_a_change_needs_the_csrf_token(visitor: Visitor, ann: Any) -> None:
    token = visitor.json(f"/enter/{ann.username}")["token"]
    assert visitor.get("/order").status == 200
    assert visitor.get("/order", "POST", json=ORDER).status == 403
    assert visitor.get("/order", "POST", json=ORDER, headers={"x-csrftoken": token}).status == 200


def test_what_a_serializer_has_made_is_a_value_of_the_session(visitor: Visitor, ann: Any) -> None:
    """`data` is a dict of its own kind, `errors` too, and `validated_data` has decimals and datetimes."""
    headers = {"x-csrftoken": visitor.json(f"/enter/{ann.username}")["token"]}
    assert visitor.get("/order", "POST", json=ORDER, headers=headers).status == 200
    assert visitor.get("/order", "POST", json={"lines": [{}]}, headers=headers).status == 400
    stored = visitor.json("/order")
    assert stored["order"] == ORDER
    assert stored["checked"]["lines"] == [{"item": "tea", "price": 4.2}]
    assert stored["errors"]["due"] == ["This field is required."]
