"""The adapter for FastAPI."""

from __future__ import annotations

from typing import Any, ClassVar

try:
    from fastapi import FastAPI
except ModuleNotFoundError as _missing:
    raise ImportError('wsgessions_fastapi needs FastAPI: pip install "wsgessions[fastapi]"') from _missing

from wsgessions.framework_versions import FrameworkVersions
from wsgessions_starlette import StarletteAdapter
from wsgessions_starlette.adapter import AppT

from .dependencies import SCHEME_NAME

__all__ = ["FastAPIAdapter"]


class FastAPIAdapter(StarletteAdapter):
    """Gives a FastAPI application sessions, as ``session: SessionDep`` and ``request.session``.

    As `StarletteAdapter`; the OpenAPI document names the cookie that is configured.
    """

    framework: ClassVar[FrameworkVersions | None] = FrameworkVersions("fastapi", "0.133", tested="0.165", before="1")
    """The versions that it supports."""

    @classmethod
    def fits(cls, app: object) -> bool:
        """Whether ``app`` is a FastAPI application."""
        return isinstance(app, FastAPI)

    def install(self, app: AppT) -> AppT:
        """Install the middleware as `StarletteAdapter.install` does, and name the cookie in the OpenAPI document."""
        if isinstance(app, FastAPI) and not hasattr(app.state, "wsgessions"):
            _name_cookie(app, self.manager.settings.cookie.name)
        return super().install(app)


def _name_cookie(app: FastAPI, name: str) -> None:
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        scheme = document.get("components", {}).get("securitySchemes", {}).get(SCHEME_NAME)
        if scheme is not None:
            scheme["name"] = name
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI's documentation extends the document
