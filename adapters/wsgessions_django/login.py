"""The session's user in terms of ``django.contrib.auth``: an attribute that logins set and logouts remove (S-55)."""

from __future__ import annotations

from typing import Final

from wsgessions import Session
from wsgessions.session import unit_of

__all__ = ["USER", "bind_on_login", "rotate_for_user"]

USER: Final = "_auth_user_id"
"""The attribute with the user's primary key as text. Django defines the name, and all its logins set it."""


def rotate_for_user(session: Session, user: object) -> None:
    """When the attribute is set: draw a new id if the session belongs to the same user already (S-06).

    Django does that only for a session without a user. The id is drawn at once, as by ``cycle_key()``, because
    receivers of ``user_logged_in`` may read it.
    """
    unit = unit_of(session)
    record = unit.record
    if record is not None and record.principal == str(user) and unit.pending_id is None:
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
