"""Settings of paths: `exclude`, under which no sessions are loaded at once (R-48), and `no_store` (S-42)."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["PathPrefixes"]


class PathPrefixes:
    """A setting of path prefixes.

    Args:
        prefixes: paths; the setting applies to paths under them too.
    """

    __slots__ = ("_prefixes",)

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._prefixes = tuple(f"{prefix.rstrip('/')}/" for prefix in prefixes)

    def hold(self, path: str, root_path: str = "") -> bool:
        """Whether the setting applies to the path, given the part at which the application is mounted."""
        if not self._prefixes:
            return False
        path, root = f"{path}/", f"{root_path.rstrip('/')}/"
        return path.removeprefix(root[:-1] if path.startswith(root) else "").startswith(self._prefixes)
