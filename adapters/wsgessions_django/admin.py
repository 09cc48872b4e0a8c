"""Live sessions in Django's admin: a user's sessions on all servers, to be looked at and ended (S-55, S-104)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from wsgessions.errors import ConfigError

from .connection import get_session
from .devices import devices_of, end_device, end_devices
from .models import LiveSession
from .rows import Row, rows_of

__all__ = ["LiveSessionAdmin"]

_audit = logging.getLogger("wsgessions.audit")

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[LiveSession]
else:
    ModelAdmin = admin.ModelAdmin


@admin.register(LiveSession)
class LiveSessionAdmin(ModelAdmin):
    """One page. Staff see and end their own sessions, and with the permissions of the model those of other users.

    Sessions are shown by their refs, never by ids (S-100), and are ended by POST. Each end, each look at the sessions
    of somebody else, and each refusal is told to the logger ``wsgessions.audit``; ends are in the user's history too.
    """

    def get_urls(self) -> list[URLPattern]:
        """The list, and nothing else of what models have."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_changelist"
        return [path("", self.admin_site.admin_view(self.changelist_view), name=name)]

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Everybody who may enter the admin has sessions."""
        return True

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """What the index of the admin links to."""
        return {"add": False, "change": False, "delete": False, "view": True}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The sessions of the user named by ``?user=``, by default of whoever asks; by POST, end some of them."""
        wanted = request.GET.get("user", "").strip()
        user = self._user_named(wanted) if wanted else request.user
        if user is not None:
            self._check(request, user, "view")
            if request.method == "POST":
                return self._end(request, user)
        rows = [] if user is None else self._rows(request, user)
        may_end = user is not None and (user == request.user or self._may(request, "delete"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Live sessions"),
            "subtitle": "" if user is None else user.get_username(),
            "wanted": wanted,
            "shown": user,
            "own": user == request.user,
            "rows": rows,
            "may_look_for_others": self._may(request, "view"),
            "may_end": may_end,
            "may_end_all": may_end and not all(row.current for row in rows),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/wsgessions_django/livesession/sessions.html", context)

    def _user_named(self, name: str) -> Any:
        users: Any = get_user_model()
        return users._default_manager.filter(**{users.USERNAME_FIELD: name}).first()

    def _may(self, request: HttpRequest, action: str) -> bool:
        user: Any = request.user
        return bool(user.has_perm(f"{self.opts.app_label}.{action}_{self.opts.model_name}"))

    def _check(self, request: HttpRequest, user: Any, action: str) -> None:
        """Refuse what concerns somebody else to who has no permission for it, and put down who asked."""
        if user == request.user:
            return
        allowed = self._may(request, action)
        log = _audit.info if allowed else _audit.warning
        words = (request.user.get_username(), "may" if allowed else "may not", action, user.get_username())
        log("in the admin, %r %s %s the sessions of %r", *words, extra={"event": "admin"})
        if not allowed:
            raise PermissionDenied

    def _rows(self, request: HttpRequest, user: Any) -> list[Row]:
        try:
            return rows_of(devices_of(user), get_session(request))
        except ConfigError as error:
            messages.error(request, str(error))
            return []

    def _end(self, request: HttpRequest, user: Any) -> HttpResponse:
        self._check(request, user, "delete")
        ref = request.POST.get("ref")
        keep = request if user == request.user else None
        ended = int(end_device(user, ref)) if ref else end_devices(user, keep=keep)
        told = ngettext("%d session was ended.", "%d sessions were ended.", ended) % ended
        words = (request.user.get_username(), ended, user.get_username())
        _audit.info("in the admin, %r ended %d sessions of %r", *words, extra={"event": "admin"})
        if ended:
            self.log_change(request, user, told)
        self.message_user(request, told, messages.SUCCESS if ended else messages.WARNING)
        return HttpResponseRedirect(request.get_full_path())
