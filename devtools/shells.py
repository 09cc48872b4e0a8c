"""Interactive shells in which the programs of an environment come first, whatever the start-up files of the user do.

Such files put other folders first in PATH, as pyenv and conda have them do, or define aliases. So a shell reads the
user's files as always, and then one of ours.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

NAMES = "python python3 pytest wsgessions"
"""What the environment has, and an alias or a function of the user could hide."""

POSIX = """\
unalias {names} 2>/dev/null
unset -f {names} 2>/dev/null
PATH={bin}:$PATH
VIRTUAL_ENV={environment}
export PATH VIRTUAL_ENV
hash -r
PS1="(wsgessions) $PS1"
"""

BASH = "[ -r ~/.bashrc ] && . ~/.bashrc\n" + POSIX
SH = '[ -r "$DEV_SHELL_ENV" ] && . "$DEV_SHELL_ENV"\nunset DEV_SHELL_ENV\n' + POSIX

ZSHENV = """\
ours=$ZDOTDIR
ZDOTDIR=${DEV_SHELL_ZDOTDIR:-$HOME}
[[ -r $ZDOTDIR/.zshenv ]] && . $ZDOTDIR/.zshenv
DEV_SHELL_ZDOTDIR=$ZDOTDIR ZDOTDIR=$ours
unset ours
"""
ZSHRC = """\
ZDOTDIR=$DEV_SHELL_ZDOTDIR
unset DEV_SHELL_ZDOTDIR
[[ -r $ZDOTDIR/.zshrc ]] && . $ZDOTDIR/.zshrc
"""
FISH = """\
functions --erase {names}
set --export PATH {bin} $PATH
set --export VIRTUAL_ENV {environment}
"""


class Shell(NamedTuple):
    """How to start a shell: its command, and variables beside those of this process."""

    command: list[str]
    variables: Mapping[str, str]


def interactive(shell: str, environment: Path, folder: Path) -> Shell:
    """How to start this shell interactively for a virtual environment; the files that it reads are written to a folder.

    A shell that is not known here gets PATH from this process alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "bin": shlex.quote(f"{environment / 'bin'}"),
        "environment": shlex.quote(f"{environment}"),
        "names": NAMES,
    }
    match Path(shell).name:
        case "bash":
            start = write(folder / "bashrc", BASH.format(**values))
            return Shell([shell, "--rcfile", str(start), "-i"], {})
        case "zsh":
            write(folder / ".zshenv", ZSHENV)
            write(folder / ".zshrc", ZSHRC + POSIX.format(**values))
            return Shell([shell, "-i"], {"ZDOTDIR": str(folder), "DEV_SHELL_ZDOTDIR": os.environ.get("ZDOTDIR", "")})
        case "fish":
            return Shell([shell, "--interactive", "--init-command", FISH.format(**values)], {})
        case "sh" | "dash" | "ksh" | "mksh":
            start = write(folder / "env", SH.format(**values))
            return Shell([shell, "-i"], {"ENV": str(start), "DEV_SHELL_ENV": os.environ.get("ENV", "")})
        case _:
            return Shell([shell], {})


def write(file: Path, text: str) -> Path:
    """Write a start-up file; returns its path."""
    file.write_text(text)
    return file
