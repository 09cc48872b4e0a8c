"""How large files and functions may grow, and how they may not be named."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.architecture.sources import FOR_DEVELOPMENT, ROOT, SHIPPED, nodes, sources


class Function(NamedTuple):
    where: str
    size: int


def functions(path: Path) -> Iterator[Function]:
    """Each function of a file with its lines, the docstring not counted."""
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if ast.get_docstring(node, clean=False) is not None:
                docstring = node.body[0]
                size -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
            yield Function(f"{path.relative_to(ROOT)}:{node.lineno} {node.name} {size} lines", size)


def lines_without_docstrings(path: Path) -> int:
    """A contract that is written down is no length."""
    text = path.read_text()
    docstrings = (
        statement
        for node in nodes(path)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in node.body
        if isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
    return len(text.splitlines()) - sum((each.end_lineno or each.lineno) - each.lineno + 1 for each in docstrings)


def test_a_module_has_at_most_300_lines_without_its_docstrings() -> None:
    sizes = {
        path.relative_to(ROOT).as_posix(): lines_without_docstrings(path)
        for path in sources(*SHIPPED, ROOT / "devtools")
    }
    assert {name: size for name, size in sizes.items() if size > 300} == {}


def test_functions_are_short() -> None:
    """At most 45 lines; half of them at most 8, nine of ten at most 24."""
    found = [function for path in sources(*SHIPPED) for function in functions(path)]
    assert [function.where for function in found if function.size > 45] == []
    sizes = [function.size for function in found]
    assert statistics.median(sizes) <= 8
    assert statistics.quantiles(sizes, n=10)[-1] <= 24


def test_no_module_is_named_for_nothing() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
    everything = sources(*SHIPPED, *FOR_DEVELOPMENT, ROOT / "tests")
    assert [path for path in everything if path.stem in vague or path.parent.name in vague] == []


def test_nothing_is_left_for_later() -> None:
    mark = re.compile(r"\b(TODO|FIXME|XXX|HACK|raise NotImplementedError)\b")
    left = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sources(*SHIPPED, *FOR_DEVELOPMENT)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if mark.search(line)
    ]
    assert left == []
