"""Makes the table of docs/design/security-tests.md out of what tests cite: ``python -m tests.docs.coverage_page``.

A test shows a rule if its docstring or a comment in it cites the rule, if the docstring of its class does, or if it
stands below a heading (``# -- ... ---``) that does. Where only a module or a helper cites it, the file is named alone.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeGuard

import wsgessions.testing

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "design" / "security-tests.md"
RULES = ROOT / "docs" / "design" / "security.md"
BEGIN, END = "<!-- rules: begin -->\n", "<!-- rules: end -->\n"

LATER = re.compile(r"\(Later\b[^)]*\)")
"""What a rule says of itself in docs/design/security.md while nothing of it, or not all, is built."""
_RULE = re.compile(r"^- \*\*(S-\d+)\*\* (.*?)(?=^- \*\*|^#|\Z)", re.MULTILINE | re.DOTALL)
_CITED = re.compile(r"(?<![\w-])S-\d+(?!\w)")
_RANGE = re.compile(r"S-\d+ to S-\d+")
_HEADING = re.compile(r"^# -- ")
_SHOWN = 100
"""Characters of a rule's first sentence."""

NOT_BUILT = {
    "S-43": "`Clear-Site-Data` with a logout",
    "S-44": "one run of hundreds of mixed requests through a real shared cache",
    "S-56": "a limit on the sessions of one principal",
    "S-58": "ending sessions by the id that an identity provider has for them",
    "S-59": "listeners that are told of creation, end and expiry",
    "S-61": "noticing that a session goes on from another network or user agent",
    "S-73": "encryption of values in the store",
    "S-74": "noticing that a record was set back to an earlier one, where no watermark tells of the later one",
    "S-76": "one error for everything that may be wrong with an encrypted value",
    "S-95": "roles and default deny of a management interface",
    "S-96": "authorization of its routes by what was matched",
    "S-97": "protection of its changes against forged requests (Django's admin has Django's)",
    "S-99": "masks for shown values",
    "S-101": "names of contexts in its paths",
    "S-103": "bounded labels of metrics",
    "S-106": "a limit on failed logins to it",
    "S-107": "its own logout and idle timeout",
}
"""Rules that the project is meant to have, and that docs/design/security.md does not list yet."""


Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class Citation(NamedTuple):
    """A place that cites a rule."""

    file: str
    test: str
    """The name of the test; empty for the file as a whole."""


def rules() -> dict[str, str]:
    """The rules of docs/design/security.md, with their texts."""
    return {found[1]: " ".join(found[2].split()) for found in _RULE.finditer(RULES.read_text())}


def sources() -> Iterator[tuple[str, Path]]:
    """The tests, and the suites that are tests of adapters and stores, by the names that the page gives them."""
    suites = Path(wsgessions.testing.__file__).parent
    for name, folder in (("tests", ROOT / "tests"), ("wsgessions/testing", suites)):
        for path in sorted(folder.rglob("*.py")):
            if path not in (Path(__file__), Path(__file__).with_name("test_snippets.py")):
                yield f"{name}/{path.relative_to(folder).as_posix()}", path


def citations() -> dict[str, list[Citation]]:
    """For each rule, where it is cited."""
    found: defaultdict[str, set[Citation]] = defaultdict(set)
    for name, path in sources():
        for rule, test in cited_in(path.read_text()):
            found[rule].add(Citation(name, test))
    return {rule: sorted(places) for rule, places in found.items()}


def cited_in(text: str) -> Iterator[tuple[str, str]]:
    """The rules that a file cites, each with the name of the test, or ``""`` for the file as a whole."""
    lines = _RANGE.sub("", text).splitlines()
    owners = [""] * (len(lines) + 1)
    tree = ast.parse(text)
    tests = [node for node in ast.walk(tree) if _is_test(node)]
    for test in tests:
        first = min([test.lineno, *(each.lineno for each in test.decorator_list)])
        owners[first : (test.end_lineno or first) + 1] = [test.name] * ((test.end_lineno or first) + 1 - first)
    shared = dict(_shared(tree, lines, tests))
    for number, line in enumerate(lines, 1):
        for rule in _CITED.findall(line):
            yield from ((rule, owner) for owner in shared.get(number) or [owners[number]])


def _is_test(node: ast.AST) -> TypeGuard[Function]:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")


def _shared(tree: ast.Module, lines: list[str], tests: list[Function]) -> Iterator[tuple[int, list[str]]]:
    """Lines that speak for several tests: docstrings of classes, and headings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and ast.get_docstring(node) is not None:
            inside = [each.name for each in node.body if _is_test(each)]
            docstring = node.body[0]
            for line in range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1):
                yield line, inside
    headings = [number for number, line in enumerate(lines, 1) if _HEADING.match(line)]
    for begin, end in pairwise([*headings, len(lines) + 1]):
        yield begin, [test.name for test in tests if begin < test.lineno < end]


def table() -> str:
    """Each rule, and the tests that show it."""
    cited, rows = citations(), ["| Rule | Says | Shown by |", "|---|---|---|"]
    rows += [f"| {rule} | {brief(text)} | {shown_by(text, cited.get(rule, []))} |" for rule, text in rules().items()]
    missing = [f"- **{rule}** {text}" for rule, text in NOT_BUILT.items() if rule not in rules()]
    return "\n".join([*rows, "", "Not built, and not among the rules above:", "", *missing]) + "\n"


def brief(text: str) -> str:
    """The first sentence of a rule, or its beginning."""
    plain = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", text).replace("|", "\\|")
    sentence = re.split(r"(?<=\.) (?=[A-Z`])", plain, maxsplit=1)[0]
    if len(sentence) <= _SHOWN:
        return sentence
    cut = sentence[:_SHOWN].rsplit(" ", 1)[0]
    return cut + ("`" if cut.count("`") % 2 else "") + " ..."


def shown_by(text: str, places: list[Citation]) -> str:
    """The tests by file, as the sentences that their names are."""
    later = ["**not built**, or not all of it"] if LATER.search(text) else []
    files = list(dict.fromkeys(place.file for place in places))
    shown = [f"`{file}`{_sentences(place.test for place in places if place.file == file)}" for file in files]
    return "<br>".join([*later, *shown]) or "**no test cites it**"


def _sentences(tests: Iterator[str]) -> str:
    named = [test.removeprefix("test_").replace("_", " ") for test in tests if test]
    return f": {'; '.join(named)}" if named else ""


def with_table(page: str) -> str:
    """The page with the table as it should be."""
    return re.sub(f"(?<={BEGIN}).*(?={END})", lambda _: table(), page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
