"""The verbs that read the project: style, types, documentation."""

from __future__ import annotations

import os

from devtools.building import build_wheel
from devtools.console import ROOT, run
from devtools.environment import HERE
from devtools.pictures import write_pictures
from devtools.testing import PARALLEL, run_tests


def lint(args: list[str]) -> int:
    """Style: ruff's rules and its format. `./dev lint --fix` mends what it can."""
    HERE.need("check")
    rules, form = (["--fix"], []) if "--fix" in args else ([], ["--check"])
    return run(HERE.bin / "ruff", "check", *rules, ".") | run(HERE.bin / "ruff", "format", *form, ".")


def types(args: list[str]) -> int:
    """Types: mypy strict, pyright strict, and whether pyright finds every public name typed."""
    python = HERE.need("test", "check", "bench")
    packages = sorted(path.parent.name for path in ROOT.glob("adapters/*/py.typed"))
    code = run(python, "-m", "mypy", *args) | run(python, "-m", "tests.architecture.unknown_types")
    first = f"{HERE.bin}{os.pathsep}{os.environ['PATH']}"  # --verifytypes takes the Python that PATH names, no other
    for package in ("wsgessions", *packages):
        code |= run(python, "-m", "pyright", "--ignoreexternal", "--verifytypes", package, PATH=first)
    return code


def docs(args: list[str]) -> int:
    """The documentation, strictly, into site/, its snippets run; `serve` shows it, `--pictures` draws its diagrams,
    `--installed` runs its snippets with the wheel.
    """
    if args == ["--pictures"]:
        write_pictures(ROOT / "docs" / "images")
        return 0
    if args[:1] == ["--installed"]:
        build_wheel()
        return run_tests(HERE.need("test"), "tests/docs/installed.py", *(args[1:] or PARALLEL))
    python = HERE.need("test", "docs")
    if args == ["serve"]:
        return run(python, "-m", "mkdocs", "serve", NO_MKDOCS_2_WARNING="1")
    built = run(python, "-m", "mkdocs", "build", "--strict", "--quiet", *args, NO_MKDOCS_2_WARNING="1")
    return built | run_tests(python, "tests/docs")
