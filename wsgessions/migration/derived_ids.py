"""Ids derived from other libraries' credentials, and the detection of logins in sessions with such an id.

As long as a session has this id, the credential leads to it within its grace, and the client that received the id may
not be the visitor's. So the id has to be replaced at the first login, whether the application does that or not (S-06,
S-75). For that it is identified without any stored state: its last character is computed from the others. One in 64 of
all other ids looks like it too, and is replaced once without need.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from ..codec import decode, encode
from ..errors import CodecError
from ..internal.masked import masked
from ..record import SessionDelta, StoredAttributes

__all__ = ["DerivedIds", "UserOf", "speaks_of_login"]

UserOf = Callable[[Mapping[str, Any]], str | None]
"""Returns the user of a session with this content; None without one."""

_LOGIN_WORDS: Final = frozenset(
    {
        *("user", "users", "username", "userid", "uid", "login", "loggedin", "logged", "signin", "signedin", "signed"),
        *("auth", "authenticated", "authorized", "account", "accountid", "email", "sub", "subject", "principal"),
        *("identity", "token", "role", "roles", "admin", "member", "memberid", "customer", "customerid"),
    }
)
"""An attribute with one of these words in its name is taken for one that a login sets, if there is no function for the
user. `docs/how-to/migrate-sessions.md` has the list."""

_OTHER_TOKENS: Final = frozenset({"csrf", "xsrf"})
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NOBODY: Final = frozenset(encode(value, name="") for value in (None, False, ""))


@masked
class DerivedIds(NamedTuple):
    """The ids that are derived with one secret.

    Equal for the same secret, so that a manager identifies them.
    """

    seed: bytes
    user_of: UserOf | None

    def derive(self, purpose: bytes, credential: bytes, length: int) -> str:
        """An id of the configured length, as random as the digest; it cannot be made without the secret."""
        text = self._characters(purpose + b"\0" + credential)[: length - 1]
        return text + self._mark_of(text)

    def hold(self, session_id: str) -> bool:
        """See `wsgessions.manager.renewal.ProvisionalIds.hold`."""
        return session_id[-1] == self._mark_of(session_id[:-1])

    def is_login(self, before: Mapping[str, bytes], delta: SessionDelta) -> bool:
        """See `wsgessions.manager.renewal.ProvisionalIds.is_login`."""
        if self.user_of is None:
            return any(
                raw not in _NOBODY and raw != before.get(name) and speaks_of_login(name)
                for name, raw in delta.changed.items()
            )
        after = StoredAttributes(dict(before)).altered(delta.changed, delta.removed).raw
        user = self.user_of(_decoded(after))
        return user is not None and user != self.user_of(_decoded(before))

    def _mark_of(self, text: str) -> str:
        return self._characters(b"mark\0" + text.encode("ascii"))[0]

    def _characters(self, text: bytes) -> str:
        return base64.urlsafe_b64encode(hashlib.shake_256(self.seed + text).digest(96)).decode("ascii")


def speaks_of_login(name: str) -> bool:
    """Whether an attribute of this name is taken for one that a login sets: user_id, authToken; not csrf_token."""
    words = {word.lower() for word in _WORDS.findall(name)}
    return not words.isdisjoint(_LOGIN_WORDS) and words.isdisjoint(_OTHER_TOKENS)


def _decoded(attributes: Mapping[str, bytes]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, raw in attributes.items():
        with suppress(CodecError):
            values[name] = decode(raw, name=name)
    return values
