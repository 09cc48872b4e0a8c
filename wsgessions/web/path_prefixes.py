"""Paths for which a setting holds: `exclude`, which loads no sessions there at once (R-48), and `no_store` (S-42)."""

from __future__ import annotations

from collections.abc import Iterable

from .types import Scope

__all__ = ["PathPrefixes"]


class PathPrefixes:
    """A setting of path prefixes.

    Args:
        prefixes: paths; the setting holds for what lies under one of them too.
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
