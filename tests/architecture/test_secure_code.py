"""Ways to write code that are refused, since they could tell or run what a visitor has sent."""

from __future__ import annotations

import ast
import re

from tests.architecture.sources import CORE, ROOT, SHIPPED, nodes, sources


def test_secrets_are_not_compared_by_operators() -> None:
    """S-10: what is equal is found out by `compare_digest`, in a time that tells nothing."""
    secret = re.compile(r"(mac|secret|password|pepper|token|signature)$")
    offenders = [
        f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}"
        for path in sources(*SHIPPED)
        for node in nodes(path)
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq)
        for side in (node.left, node.comparators[0])
        if secret.search(ast.unparse(side))
    ]
    assert offenders == []


def test_no_script_makes_code_or_an_error_of_what_it_is_given() -> None:
    """S-89, S-234: a text that a script makes itself could carry a visitor's data into a log, or end a reply early."""
    making = re.compile(r"\b(error_reply|loadstring|load|dofile|require|error|setfenv)\s*\(|\berr\s*=")
    scripts = sorted(CORE.rglob("*.lua"))
    assert len(scripts) > 10
    assert {path.name: making.findall(path.read_text()) for path in scripts if making.search(path.read_text())} == {}
