"""All verbs, and running one of them."""

from __future__ import annotations

from devtools.building import build
from devtools.checking import docs, lint, types
from devtools.console import Trouble
from devtools.matrix import matrix
from devtools.pinning import pins
from devtools.testing import bench, browser, caches, fuzz, packages, test
from devtools.using import cart, shell

VERBS = {
    verb.__name__: verb
    for verb in (cart, test, lint, types, docs, fuzz, bench, browser, caches, packages, matrix, build, shell, pins)
}


def main(args: list[str]) -> int:
    """Run one verb; returns the exit code: 0 success, 1 failure, 2 wrong usage."""
    if not args or args[0] not in VERBS:
        if args and args[0] not in ("--help", "-h", "help"):
            print(f"dev: there is no verb {args[0]!r}\n")
        print("usage: ./dev VERB [ARGS]\n")
        for name, verb in VERBS.items():
            print(f"  {name:<8} {verb.__doc__}")
        return 0 if args in ([], ["--help"], ["-h"], ["help"]) else 2
    try:
        return VERBS[args[0]](args[1:])
    except Trouble as error:
        print(f"dev: {error}\n     Next: {error.step}", flush=True)
        return 1
    except KeyboardInterrupt:
        return 130
