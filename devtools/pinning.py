"""The verb `pins`: requirements/*.txt, from the bounds in pyproject.toml."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from devtools.console import ROOT, STATE, run, say
from devtools.environment import HERE
from devtools.project import declared

FRAMEWORKS = ("django", "fastapi", "litestar", "quart", "starlette")


PINNED = {
    "base": ("pyproject.toml", "--extra", "demo", "--group", "editable"),
    "test": ("--group", "test"),
    "check": ("--group", "lint", "--group", "types"),
    "docs": ("--group", "docs"),
    "bench": ("--group", "bench"),
    "build": ("--group", "build"),
    "packages": ("--group", "packages"),
    "pins": ("--group", "pins"),
}


def pins(args: list[str]) -> int:
    """Make requirements/*.txt from pyproject.toml; `./dev pins --upgrade` takes newer releases."""
    uv = shutil.which("uv") or HERE.need("pins").parent / "uv"
    command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate", *args]
    earlier: list[Path] = []
    for name, source in PINNED.items():
        target = ROOT / "requirements" / f"{name}.txt"
        constraints = [part for path in earlier for part in ("-c", path)]
        if run(*command, *source, *constraints, "-o", target):
            return 1
        earlier.append(target)
        say(f"requirements/{name}.txt")
    return pin_oldest(command)


def pin_oldest(command: Sequence[str | Path]) -> int:
    """Make requirements/oldest.txt: frameworks and dependencies at their lower bounds, all else as pinned elsewhere."""
    pinned = ROOT / "requirements"
    target, bounds = pinned / "oldest.txt", STATE / "bounds.txt"
    STATE.mkdir(exist_ok=True)
    bounds.write_text("".join(f"{line}\n" for line in lower_bounds()))
    target.write_text("".join((pinned / f"{name}.txt").read_text() for name in ("base", "test")))  # what uv prefers
    code = run(*command, *PINNED["base"], *PINNED["test"], "-c", bounds, "-o", target)
    say("requirements/oldest.txt")
    return code


def lower_bounds() -> Iterator[str]:
    """The oldest version of each dependency, and of each framework, that pyproject.toml declares: "django==5.2"."""
    project = declared()["project"]
    extras = project["optional-dependencies"]
    for line in (*project["dependencies"], *(line for name in FRAMEWORKS for line in extras[name])):
        requirement, _, marker = line.partition(";")
        name, _, bounds = requirement.partition(">=")
        yield f"{name}=={bounds.partition(',')[0].strip()}" + (f" ;{marker}" if marker else "")
