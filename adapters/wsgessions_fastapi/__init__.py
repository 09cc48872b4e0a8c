"""wsgessions for FastAPI: sessions as dependencies, shared by all servers."""

from .adapter import FastAPIAdapter
from .dependencies import SessionCookie, SessionDep, SessionModel

__all__ = ["FastAPIAdapter", "SessionCookie", "SessionDep", "SessionModel"]
