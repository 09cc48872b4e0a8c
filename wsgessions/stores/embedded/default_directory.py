"""The directory of the embedded store where the setting names none: one per project, outside of it.

Reloaders watch the directory of the project, and would restart the application with each write of the store in it. It
is a state directory of the user instead, the same from every directory of the project.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Final

__all__ = ["LOCAL_NAME", "default_directory", "project_root", "state_directory"]

LOCAL_NAME: Final = ".wsgessions"
"""A directory of this name in the project's root, if there is one, is the store's: so a project can keep it there."""
_MARKS: Final = (("wsgessions.toml", "pyproject.toml", "setup.py", ".git"), ("manage.py",))
"""What shows the root of a project. The earlier are looked for in all directories first."""
_NAME_LENGTH: Final = 24


def default_directory() -> Path:
    """The directory for the working directory of this moment."""
    root = project_root() or Path.cwd()
    local = root / LOCAL_NAME
    if local.is_dir():
        return local
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:8]
    name = re.sub(r"[^A-Za-z0-9._-]", "_", root.name)[:_NAME_LENGTH]
    return state_directory() / f"{name}-{digest}"


def project_root() -> Path | None:
    """The nearest directory from the working directory upwards that looks like a project's, below the home directory;
    None if there is none.
    """
    start = Path.cwd()
    candidates: list[Path] = []
    for each in (start, *start.parents):
        if each in (Path.home(), Path(each.root)):
            break
        candidates.append(each)
    for marks in _MARKS:
        for each in candidates:
            if any((each / mark).exists() for mark in marks):
                return each
    return None


def state_directory() -> Path:
    """The directory of wsgessions among the user's state."""
    return _state_home() / "wsgessions"


def _state_home() -> Path:
    """``XDG_STATE_HOME``, which counts only if it is absolute."""
    given = os.environ.get("XDG_STATE_HOME", "")
    return Path(given) if os.path.isabs(given) else Path.home() / ".local" / "state"  # noqa: PTH117
