"""The page "your devices", to be included in the URLs of a project."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from .connection import get_session
from .devices import devices_of, end_device, end_devices
from .rows import rows_of

__all__ = ["your_devices"]


@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def your_devices(request: HttpRequest) -> HttpResponse:
    """List the sessions of the user, and end one of them (``ref`` in the form) or all others (``others``).

    The template is ``wsgessions_django/devices.html``, which a project may replace by its own; ``devices`` holds the
    `Row` of each session. The result is shown by Django's messages, if the project has them.
    """
    if request.method == "POST":
        done = _end(request)
        messages.success(request, done, fail_silently=True)
        return redirect(request.path)
    rows = rows_of(devices_of(request.user), get_session(request))  # type: ignore[arg-type]  # `login_required`
    return render(request, "wsgessions_django/devices.html", {"devices": rows})


def _end(request: HttpRequest) -> str:
    if "others" in request.POST:
        ended = end_devices(request.user, keep=request)  # type: ignore[arg-type]  # `login_required`
        return ngettext("%d other device is logged out.", "%d other devices are logged out.", ended) % ended
    if end_device(request.user, request.POST.get("ref", "")):  # type: ignore[arg-type]  # `login_required`
        return _("The device is logged out.")
    return _("The device was logged out already.")
