"""Who imports whom, between files and between parts: ``python -m tests.architecture.arrows`` counts it.

A part is a module or package that lies directly in `wsgessions` or in its `stores`, or the package of an adapter. All
imports count, those inside functions and under TYPE_CHECKING too: a reader follows them all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import NamedTuple, TypeAlias

from tests.architecture.sources import CORE, ROOT, imports, modules

Arrows: TypeAlias = Mapping[str, Collection[str]]


class Circle(NamedTuple):
    """A set of which each imports each, by way of others or directly."""

    members: tuple[str, ...]
    arrows: int
    """The imports inside of it."""

    def is_within(self, other: Circle) -> bool:
        """Whether it is this one, or what is left of it."""
        return set(self.members) <= set(other.members) and self.arrows <= other.arrows


@cache
def between_files() -> dict[str, set[str]]:
    """Each module of the product, samples left out, with the others that it imports."""
    ours = {name: path for name, path in modules().items() if path.is_relative_to(CORE) or _is_of_an_adapter(name)}
    return {
        name: {found.module for found in imports(path) if found.module in ours and found.module != name}
        for name, path in ours.items()
    }


@cache
def between_parts() -> dict[str, set[str]]:
    """Each part, with the others that it imports."""
    found: dict[str, set[str]] = {}
    for name, imported in between_files().items():
        found.setdefault(part_of(name), set()).update(map(part_of, imported))
    return {part: imported - {part} for part, imported in found.items()}


def part_of(module: str) -> str:
    """The part's name: "manager", "stores.valkey", "wsgessions_django"; `wsgessions` itself is "wsgessions"."""
    top, *inner = module.split(".")
    if top != "wsgessions" or not inner:
        return top
    return ".".join(inner[:2]) if inner[0] == "stores" else inner[0]


def _is_of_an_adapter(module: str) -> bool:
    return (ROOT / "adapters" / module.split(".", maxsplit=1)[0]).is_dir()


def circles(arrows: Arrows) -> list[Circle]:
    """Every circle, as large as it is; none is part of another."""
    reached = {start: _reached(start, arrows) for start in arrows}
    found = {
        tuple(sorted(other for other in reached[start] if start in reached[other]))
        for start in arrows
        if start in reached[start]
    }
    return [Circle(members, _arrows_inside(members, arrows)) for members in sorted(found)]


def _reached(start: str, arrows: Arrows) -> set[str]:
    reached: set[str] = set()
    waiting = list(arrows[start])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += arrows[name]
    return reached


def _arrows_inside(members: Collection[str], arrows: Arrows) -> int:
    return sum(other in members for name in members for other in arrows[name])


if __name__ == "__main__":
    for kind, arrows in (("parts", between_parts()), ("files", between_files())):
        found = circles(arrows)
        counts = f"{len(arrows)} {kind}, {sum(map(len, arrows.values()))} arrows, {len(found)} circles"
        print(f"{counts} of {sum(len(circle.members) for circle in found)} members")
