"""A small Django site, as a server of WSGI loads it; its store is the directory in the variable STORE."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.adapters.django_project import configure


def count(request: HttpRequest) -> HttpResponse:
    request.session["n"] = request.session.get("n", 0) + 1
    return HttpResponse(str(request.session["n"]))


urlpatterns = [path("", count)]

configure(ROOT_URLCONF=__name__, WSGESSIONS={"store_url": f"embedded:{os.environ['STORE']}"})
application = get_wsgi_application()
