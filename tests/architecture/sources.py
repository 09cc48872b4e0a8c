"""The files of the product, and what each of them imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "wsgessions"
SHIPPED = (CORE, ROOT / "adapters", ROOT / "samples")
FOR_DEVELOPMENT = (ROOT / "bench", ROOT / "devtools")

_HOMES = (ROOT / "adapters", ROOT / "samples" / "cart", ROOT)
"""The folders that the product's packages lie in. The last is around the others."""


class Import(NamedTuple):
    """One imported module, as seen from one file."""

    path: Path
    module: str
    """Absolute, and as deep as there is a module: an imported class is told by the module that it is taken from."""
    line: int

    @property
    def top(self) -> str:
        return self.module.split(".")[0]

    @property
    def inside(self) -> str:
        """The file within `wsgessions`: "stores/valkey/client/link.py"."""
        return self.path.relative_to(CORE).as_posix()

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


def sources(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


@cache
def modules() -> dict[str, Path]:
    """The product's modules by name, packages included."""
    return {_name_of(path): path for path in sources(*SHIPPED)}


def _name_of(path: Path) -> str:
    home = next(home for home in _HOMES if path.is_relative_to(home))
    return ".".join(path.relative_to(home).with_suffix("").parts).removesuffix(".__init__")


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Everything in a file."""
    return tuple(ast.walk(ast.parse(path.read_text())))


def imports(path: Path) -> Iterator[Import]:
    """Every import of a file, those inside functions and under TYPE_CHECKING included."""
    name = _name_of(path)
    around = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in nodes(path):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            start = around[: len(around) - node.level + 1] if node.level else []
            module = ".".join([*start, *filter(None, [node.module])])
            for found in sorted({_deepest(module, alias.name) for alias in node.names}):
                yield Import(path, found, node.lineno)


def _deepest(module: str, name: str) -> str:
    return f"{module}.{name}" if f"{module}.{name}" in modules() else module


def core_imports() -> list[Import]:
    return [found for path in sources(CORE) for found in imports(path)]


def shown(offenders: list[Import]) -> str:
    return "\n".join(map(str, offenders))
