"""The verbs that run tests with the environment of this folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from devtools.console import ROOT, STATE, Trouble, run
from devtools.debian import DEBIAN, comes_from_debian, unpack_from_debian
from devtools.environment import HERE, Environment

# A test waits for processes and leases for more than half of its time, so there are more workers than processors.
PARALLEL = ("-n", str((os.cpu_count() or 2) + 3), "--dist", "loadgroup")


def run_tests(python: Path, *args: str, folder: Path = ROOT) -> int:
    """Run pytest in an environment; returns its exit code.

    Each worker compiles all tests, and each process that a test starts compiles the project, unless the
    first of them may keep what it has compiled; in containers that is often switched off.
    """
    return run(python, "-m", "pytest", *args, folder=folder, PYTHONDONTWRITEBYTECODE="")


def test(args: list[str]) -> int:
    """Every test, on a real embedded Valkey; ARGS go to pytest, `--coverage` measures. In CI what cannot run fails."""
    python = HERE.need("test")
    if args != ["--coverage"]:
        return run_tests(python, *(args or PARALLEL))
    failed = run_tests(python, *PARALLEL, "--cov", "--cov-report=", "--cov-fail-under=0")
    return failed or run(python, "-m", "tests.architecture.covered")


def browser(args: list[str]) -> int:
    """The tests that drive a browser, and how to get one."""
    python = HERE.need("test")
    found = [path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path]
    if not found and not os.environ.get("CHROMIUM"):
        raise Trouble(
            "no Chromium found",
            "sudo apt install chromium, or set CHROMIUM to the program's path, then ./dev browser",
        )
    return run_tests(python, "-m", "browser", *args)


def caches(args: list[str]) -> int:
    """The tests behind a real nginx, which is fetched from Debian where this machine has none: caches, deployment."""
    python = HERE.need("test")
    own = [path for path in (shutil.which("nginx"), "/usr/sbin/nginx", DEBIAN / "usr" / "sbin" / "nginx") if path]
    if not os.environ.get("NGINX") and not any(Path(path).exists() for path in own):
        otherwise = "sudo apt install nginx, or set NGINX to the program's path, then ./dev caches"
        if not comes_from_debian():
            raise Trouble("no nginx found", otherwise)
        unpack_from_debian("nginx", otherwise)
    return run_tests(python, "tests/servers/test_shared_caches.py", "tests/deployment", *args)


def packages(args: list[str]) -> int:
    """The tests with other packages, such as Authlib, allauth and sqladmin, in an environment that has them."""
    # Not in the folder's own: there, every test and every type would be judged with packages that few projects have.
    python = Environment(STATE / "packages").need("test", "packages")
    return run_tests(python, "tests/packages", *(args or PARALLEL))


def fuzz(args: list[str]) -> int:
    """Feed the parsers with unexpected bytes: `./dev fuzz --minutes 30 [TARGET ...]`; see CONTRIBUTING.md."""
    return run(HERE.need("test"), "-m", "tests.fuzz", *args)


def bench(args: list[str]) -> int:
    """Measure this and other libraries: in process and over HTTP. ARGS go to `python -m bench`."""
    return run(HERE.need("test", "bench"), "-m", "bench", *args)
