"""Whose a session is, as ``django.contrib.auth`` says it: by an attribute that logins set and logouts remove (S-55)."""

from __future__ import annotations

from typing import Final

from wsgessions import Session
from wsgessions.session import unit_of

__all__ = ["USER", "bind_on_login", "rotate_for_user"]

USER: Final = "_auth_user_id"
"""The attribute with the user's primary key as text. It is Django's name, and what all of its logins go through."""


def rotate_for_user(session: Session, user: object) -> None:
    """When the attribute is set: have a new id drawn if it is the user's whose session it is already (S-06).

    Django does that only where there was no user. It is drawn at once, as by ``cycle_key()``, because listeners to
    ``user_logged_in`` may note it.
    """
    unit = unit_of(session)
    record = unit.record
    if record is not None and record.principal == str(user) and unit.pending_id is None:
        session.rotate_id()


def bind_on_login(session: Session) -> None:
    """Before a commit: bind the session to who has logged in since it was loaded, or to nobody after a logout.

    So `SessionManager.sessions_of` finds it from the commit on. Who has logged in again, and so has a new id, is bound
    again: `Session.bound_at` is the time of the latest login (S-57). An id that the login has drawn already is kept,
    since listeners to ``user_logged_in`` may have noted it.
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
