"""The paths on which sessions are not loaded until somebody asks for it (R-48)."""

from __future__ import annotations

from collections.abc import Iterable

from .types import Scope

__all__ = ["ExcludedPaths"]


class ExcludedPaths:
    """The setting `exclude`.

    Args:
        prefixes: paths; what lies under one of them is excluded too.
    """

    __slots__ = ("_prefixes",)

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._prefixes = tuple(f"{prefix.rstrip('/')}/" for prefix in prefixes)

    def hold(self, scope: Scope) -> bool:
        """Whether the path, without the part that the application is mounted at, is one of them."""
        if not self._prefixes:
            return False
        path, root = f"{scope['path']}/", f"{scope.get('root_path', '').rstrip('/')}/"
        return path.removeprefix(root[:-1] if path.startswith(root) else "").startswith(self._prefixes)
