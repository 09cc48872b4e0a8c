"""Live sessions in Django's admin: of everybody or a user, on all servers, to be looked at and ended (S-55, S-104)."""

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
    """One line of the list."""

    row: Row
    may_end: bool
    user: Any = None
    """Whose session it is, if it is a user's of this project."""
    stranger: str = ""
    """Whose it is otherwise, such as a user's of another application; empty if it is nobody's."""


@admin.register(LiveSession)
class LiveSessionAdmin(ModelAdmin):
    """One page. Staff see and end their own sessions, and with the permissions of the model those of everybody.

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
        """Live sessions; by POST, the end of some of them.

        They are those of the user named by ``?user=``. Without it they are those of everybody, page by page, or the own
        ones for who may not view the others.
        """
        wanted = request.GET.get("user", "").strip()
        may_view = self._may(request, "view")
        try:
            if request.method == "POST":
                return self._end(request, wanted)
            shown = self._of_user(request, wanted) if wanted or not may_view else self._of_everybody(request)
        except InvalidCursor:
            messages.warning(request, _("That page is not there any more. The list begins again."))
            return HttpResponseRedirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Live sessions"),
            "wanted": wanted,
            "may_look_for_others": may_view,
            **shown,
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/wsgessions_django/livesession/sessions.html", context)

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _of_user(self, request: HttpRequest, wanted: str) -> dict[str, Any]:
        user: Any = self._user_named(wanted) if wanted else request.user
        if user is None:
            return {"everybody": False, "shown": None}
        self._check_for(request, "view", user)
        may_end = user == request.user or self._may(request, "delete")
        try:
            rows = rows_of(devices_of(user), get_session(request))
        except ConfigError as error:
            messages.error(request, str(error))
            rows = []
        return {
            "everybody": False,
            "subtitle": user.get_username(),
            "shown": user,
            "own": user == request.user,
            "lines": [Line(row, may_end and not row.current) for row in rows],
            "may_end_all": may_end and not all(row.current for row in rows),
        }

    def _of_everybody(self, request: HttpRequest) -> dict[str, Any]:
        self._check(request, "view", "everybody")
        after = request.GET.get("after")
        try:
            page, total = page_of_all(after, self.list_per_page)
        except ConfigError as error:
            messages.error(request, str(error))
            return {"everybody": True, "lines": []}
        users, may_end = users_of(page.sessions), self._may(request, "delete")
        lines: list[Line] = []
        for live, row in zip(page.sessions, rows_of(page.sessions, get_session(request)), strict=True):
            user = users.get(live.principal or "")
            mine = user == request.user
            stranger = (live.principal or "") if user is None else ""
            lines.append(Line(row, (may_end or mine) and not row.current, user, stranger))
        lines.sort(key=lambda line: line.row.last_accessed_at, reverse=True)
        return {"everybody": True, "lines": lines, "total": total, "after": after, "next": page.next_cursor}

    def _user_named(self, name: str) -> Any:
        users: Any = get_user_model()
        return users._default_manager.filter(**{users.USERNAME_FIELD: name}).first()

    # -- who may -------------------------------------------------------------------------------------------------------

    def _may(self, request: HttpRequest, action: str) -> bool:
        user: Any = request.user
        return bool(user.has_perm(f"{self.opts.app_label}.{action}_{self.opts.model_name}"))

    def _check_for(self, request: HttpRequest, action: str, user: Any) -> None:
        """Refuse what concerns somebody else to who has no permission for it, and put down who asked."""
        if user != request.user:
            self._check(request, action, repr(user.get_username()))

    def _check(self, request: HttpRequest, action: str, whose: str) -> None:
        allowed = self._may(request, action)
        log = _audit.info if allowed else _audit.warning
        words = (request.user.get_username(), "may" if allowed else "may not", action, whose)
        log("in the admin, %r %s %s the sessions of %s", *words, extra={"event": "admin"})
        if not allowed:
            raise PermissionDenied

    # -- ending --------------------------------------------------------------------------------------------------------

    def _end(self, request: HttpRequest, wanted: str) -> HttpResponse:
        ref = request.POST.get("ref", "")
        user = self._user_named(wanted) if wanted else request.user
        try:
            if ref and not wanted and self._may(request, "view"):
                self._end_listed(request, ref)
            elif user is not None:
                self._check_for(request, "view", user)
                self._end_of_user(request, user, ref)
        except AmbiguousRef as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(request.get_full_path())

    def _end_listed(self, request: HttpRequest, ref: str) -> None:
        """End one of the sessions of everybody, who may be nobody."""
        live = live_session(ref)
        user = None if live is None else users_of([live]).get(live.principal or "")
        if user is not None:
            self._end_of_user(request, user, ref)
        elif live is None:
            self._tell(request, 0, "nobody")
        else:
            whose = "nobody" if live.principal is None else repr(live.principal)
            self._check(request, "delete", whose)
            self._tell(request, int(end_session(ref)), whose)

    def _end_of_user(self, request: HttpRequest, user: Any, ref: str) -> None:
        self._check_for(request, "delete", user)
        keep = request if user == request.user else None
        ended = int(end_device(user, ref)) if ref else end_devices(user, keep=keep)
        told = self._tell(request, ended, repr(user.get_username()))
        if ended:
            self.log_change(request, user, told)

    def _tell(self, request: HttpRequest, ended: int, whose: str) -> str:
        told = ngettext("%d session was ended.", "%d sessions were ended.", ended) % ended
        words = (request.user.get_username(), ended, whose)
        _audit.info("in the admin, %r ended %d sessions of %s", *words, extra={"event": "admin"})
        self.message_user(request, told, messages.SUCCESS if ended else messages.WARNING)
        return told
