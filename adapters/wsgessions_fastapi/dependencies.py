"""The dependencies by which an endpoint gets its session, or one typed attribute of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, params
from fastapi.requests import HTTPConnection
from fastapi.security import APIKeyCookie

from wsgessions import Session
from wsgessions.session.typed import TypedAttribute
from wsgessions_starlette import get_session

__all__ = ["SCHEME_NAME", "SessionCookie", "SessionDep", "SessionModel"]

SCHEME_NAME: Final = "session"
"""The key of the cookie's security scheme in the OpenAPI document."""


class SessionCookie(APIKeyCookie):
    """The security scheme of the session cookie: shown in the OpenAPI document, and as a dependency the session itself.

    Args:
        name: the cookie's name in the document. `FastAPIAdapter` replaces it by the configured one.
    """

    def __init__(self, name: str = "__Host-sid") -> None:
        super().__init__(name=name, scheme_name=SCHEME_NAME, auto_error=False)

    async def __call__(self, request: HTTPConnection) -> Session:  # type: ignore[override]  # more than the bare id
        """The session of an HTTP request or a WebSocket. Counts as an access, as ``request.session`` does."""
        return get_session(request)


SessionDep = Annotated[Session, Depends(SessionCookie())]
"""The session: ``async def home(session: SessionDep)``. Also for `def` endpoints, WebSockets and dependencies."""


@dataclass(frozen=True, init=False)
class SessionModel(params.Depends):
    """One attribute of the session as a value of a type: ``cart: Annotated[Cart, SessionModel("cart")]``.

    The value is validated by pydantic when it is read. Changes in it, nested ones too, are stored as plain data with
    the session's next commit; see `wsgessions.session.typed.TypedAttribute`, also for the errors. If the attribute is
    absent, the value is ``default_factory()``, else ``Cart()``, which is stored only after a change.

    Args:
        name: the attribute's name.
        default_factory: makes the value if the attribute is absent.
    """

    name: str = ""
    default_factory: Callable[[], Any] | None = None

    def __init__(
        self,
        name: str,
        *,
        default_factory: Callable[[], Any] | None = None,
        dependency: Any = None,
        **rest: Any,
    ) -> None:
        # FastAPI completes a Depends without a dependency by a copy that has the annotated type as its dependency.
        if dependency is not None and not isinstance(dependency, _TypedDependency):
            dependency = _TypedDependency(TypedAttribute(name, dependency, default_factory=default_factory))
        super().__init__(dependency, **rest)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "default_factory", default_factory)


class _TypedDependency:
    def __init__(self, attribute: TypedAttribute[Any]) -> None:
        self._attribute = attribute

    async def __call__(self, session: SessionDep) -> Any:
        return self._attribute.of(session)
