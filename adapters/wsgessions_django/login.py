"""The session's user in terms of ``django.contrib.auth``: an attribute that logins set and logouts remove (S-55)."""

from __future__ import annotations

from typing import Final

from wsgessions import Session
from wsgessions.session import names_in, unit_of
from wsgessions.session.changes import BEFORE_RESPONSE

__all__ = ["USER", "bind_on_login", "draw_id_for_user"]

USER: Final = "_auth_user_id"
"""The attribute with the user's primary key as text. Django defines the name, and all its logins set it."""


def draw_id_for_user(session: Session) -> None:
    """After a change of the attribute: draw the session's next id, unless that was done already (S-06).

    So the id that receivers of ``user_logged_in`` read, and all other code up to the commit or ``save()``, is the one
    that the session is stored under. Django draws one only for a session without a user, by ``cycle_key()``.
    """
    unit = unit_of(session)
    record = unit.record
    if record is None or unit.pending_id is not None or USER not in unit.baseline:
        return
    if USER in names_in(session) or (record.principal is not None and unit.phase is BEFORE_RESPONSE):
        session.rotate_id()


def bind_on_login(session: Session) -> None:
    """Before a commit: bind the session to the user that has logged in since its load, or to none after a logout.

    So `SessionManager.sessions_of` finds it from the commit on. A user that has logged in again, with a new id, is
    bound again: `Session.bound_at` is the time of the latest login (S-57). An id that the login has drawn already is
    kept, since receivers of ``user_logged_in`` may have read it.
    """
    unit = unit_of(session)
    if USER not in unit.baseline:
        return
    user, drawn = dict.get(session, USER), unit.pending_id
    principal = None if user is None else str(user)
    if principal != session.principal or (principal is not None and drawn is not None):
        session.bind_user(principal)
        if drawn is not None:
            unit.pending_id = drawn
