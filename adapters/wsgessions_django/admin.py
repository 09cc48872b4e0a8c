"""Live sessions in Django's admin: of all users or of one, on all servers, listed and ended (S-55, S-104)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from wsgessions.errors import AmbiguousRef, ConfigError, InvalidCursor

from .all_sessions import end_session, live_session, page_of_all, users_of
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


class Line(NamedTuple):
    """One row of the list."""

    row: Row
    may_end: bool
    user: Any = None
    """The user of this project that the session is bound to, if any."""
    stranger: str = ""
    """Otherwise the principal, such as a user of another application; empty without one."""


@admin.register(LiveSession)
class LiveSessionAdmin(ModelAdmin):
    """One page. Staff see and end their own sessions, and with the permissions of the model those of all users.

    Sessions are shown by their refs, never by ids (S-100), and are ended by POST. The logger ``wsgessions.audit``
    records each end, each view of another user's sessions, and each denied attempt; ends are in the user's history too.
    """

    def get_urls(self) -> list[URLPattern]:
        """The URL of the list, and no other that models have."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_changelist"
        return [path("", self.admin_site.admin_view(self.changelist_view), name=name)]

    def has_module_permission(self, request: HttpRequest) -> bool:
        """True for each user with access to the admin, since each has sessions."""
        return True

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """The permissions by which the index of the admin links to the page."""
        return {"add": False, "change": False, "delete": False, "view": True}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """List live sessions; by POST, end some of them.

        The sessions are those of the user in ``?user=``. Without it they are all sessions, page by page, or the user's
        own ones without the permission to view others.
        """
        username = request.GET.get("user", "").strip()
        may_view = self._may(request, "view")
        try:
            if request.method == "POST":
                return self._end(request, username)
            shown = self._of_user(request, username) if username or not may_view else self._of_all(request)
        except InvalidCursor:
            messages.warning(request, _("That page is not there any more. The list begins again."))
            return HttpResponseRedirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Live sessions"),
            "wanted": username,
            "may_look_for_others": may_view,
            **shown,
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/wsgessions_django/livesession/sessions.html", context)

    # -- the lists -----------------------------------------------------------------------------------------------------

    def _of_user(self, request: HttpRequest, username: str) -> dict[str, Any]:
        user: Any = self._user_named(username) if username else request.user
        if user is None:
            return {"all_users": False, "shown": None}
        self._check_for(request, "view", user)
        may_end = user == request.user or self._may(request, "delete")
        try:
            rows = rows_of(devices_of(user), get_session(request))
        except ConfigError as error:
            messages.error(request, str(error))
            rows = []
        return {
            "all_users": False,
            "subtitle": user.get_username(),
            "shown": user,
            "own": user == request.user,
            "lines": [Line(row, may_end and not row.current) for row in rows],
            "may_end_all": may_end and not all(row.current for row in rows),
        }

    def _of_all(self, request: HttpRequest) -> dict[str, Any]:
        self._check(request, "view", "all users")
        after = request.GET.get("after")
        try:
            page, total = page_of_all(after, self.list_per_page)
        except ConfigError as error:
            messages.error(request, str(error))
            return {"all_users": True, "lines": []}
        users, may_end = users_of(page.sessions), self._may(request, "delete")
        lines: list[Line] = []
        for live, row in zip(page.sessions, rows_of(page.sessions, get_session(request)), strict=True):
            user = users.get(live.principal or "")
            mine = user == request.user
            stranger = (live.principal or "") if user is None else ""
            lines.append(Line(row, (may_end or mine) and not row.current, user, stranger))
        lines.sort(key=lambda line: line.row.last_accessed_at, reverse=True)
        return {"all_users": True, "lines": lines, "total": total, "after": after, "next": page.next_cursor}

    def _user_named(self, name: str) -> Any:
        users: Any = get_user_model()
        return users._default_manager.filter(**{users.USERNAME_FIELD: name}).first()

    # -- permissions ---------------------------------------------------------------------------------------------------

    def _may(self, request: HttpRequest, action: str) -> bool:
        user: Any = request.user
        return bool(user.has_perm(f"{self.opts.app_label}.{action}_{self.opts.model_name}"))

    def _check_for(self, request: HttpRequest, action: str, user: Any) -> None:
        """Raise `PermissionDenied` for another user's sessions without the permission; log the attempt either way."""
        if user != request.user:
            self._check(request, action, repr(user.get_username()))

    def _check(self, request: HttpRequest, action: str, subject: str) -> None:
        allowed = self._may(request, action)
        log = _audit.info if allowed else _audit.warning
        values = (request.user.get_username(), "may" if allowed else "may not", action, subject)
        log("in the admin, %r %s %s the sessions of %s", *values, extra={"event": "admin"})
        if not allowed:
            raise PermissionDenied

    # -- ending --------------------------------------------------------------------------------------------------------

    def _end(self, request: HttpRequest, username: str) -> HttpResponse:
        ref = request.POST.get("ref", "")
        user = self._user_named(username) if username else request.user
        try:
            if ref and not username and self._may(request, "view"):
                self._end_listed(request, ref)
            elif user is not None:
                self._check_for(request, "view", user)
                self._end_of_user(request, user, ref)
        except AmbiguousRef as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(request.get_full_path())

    def _end_listed(self, request: HttpRequest, ref: str) -> None:
        """End one session in the list of all, which may have no principal."""
        live = live_session(ref)
        user = None if live is None else users_of([live]).get(live.principal or "")
        if user is not None:
            self._end_of_user(request, user, ref)
        elif live is None:
            self._tell(request, 0, "no user")
        else:
            subject = "no user" if live.principal is None else repr(live.principal)
            self._check(request, "delete", subject)
            self._tell(request, int(end_session(ref)), subject)

    def _end_of_user(self, request: HttpRequest, user: Any, ref: str) -> None:
        self._check_for(request, "delete", user)
        keep = request if user == request.user else None
        ended = int(end_device(user, ref)) if ref else end_devices(user, keep=keep)
        message = self._tell(request, ended, repr(user.get_username()))
        if ended:
            self.log_change(request, user, message)

    def _tell(self, request: HttpRequest, ended: int, subject: str) -> str:
        message = ngettext("%d session was ended.", "%d sessions were ended.", ended) % ended
        values = (request.user.get_username(), ended, subject)
        _audit.info("in the admin, %r ended %d sessions of %s", *values, extra={"event": "admin"})
        self.message_user(request, message, messages.SUCCESS if ended else messages.WARNING)
        return message
