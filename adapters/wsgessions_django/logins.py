"""Whose a session is, as ``django.contrib.auth`` says it: by an attribute that logins set and logouts remove (S-55)."""

from __future__ import annotations

from typing import Final

from wsgessions import Session

__all__ = ["USER", "heed_login"]

USER: Final = "_auth_user_id"
"""The attribute with the user's primary key as text. It is Django's name, and what all of its logins go through."""


def heed_login(session: Session) -> None:
    """Before a commit: bind the session to who has logged in since it was loaded, or to nobody after a logout.

    So `SessionManager.sessions_of` finds it from the commit on. An id that the login has drawn already is kept, since
    listeners to ``user_logged_in`` may have noted it.
    """
    if USER not in session._drafts:
        return
    user = dict.get(session, USER)
    principal = None if user is None else str(user)
    if principal != session.principal:
        drawn = session._successor
        session.bind_user(principal)
        if drawn is not None:
            session._successor = drawn
