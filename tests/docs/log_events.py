"""The events that the code logs, found in its text: logger, level and name of each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from wsgessions.internal.last_resort import START_LOGGER
from wsgessions.manager.rejected_ids import RejectedId

__all__ = ["Event", "events_in_code"]

ROOT = Path(__file__).resolve().parents[2]
LEVELS = {"info": "INFO", "warning": "WARNING", "error": "ERROR", "log": "WARNING or INFO"}
NAMED = {"START_LOGGER": START_LOGGER, "_NAME": "wsgessions"}
PASSED_ON = {"durability.py": "wsgessions.valkey"}
"""Files whose functions get their logger from elsewhere."""


class Event(NamedTuple):
    """One kind of line."""

    logger: str
    level: str
    name: str


def events_in_code() -> set[Event]:
    """All events but those for debugging.

    Raises:
        AssertionError: a line of log has no event.
    """
    adapters = {entry.module.partition(".")[0] for entry in entry_points(group="wsgessions.adapters")}
    files = [path for name in sorted({"wsgessions", *adapters}) for path in sorted(_folder_of(name).rglob("*.py"))]
    return {event for path in files if "testing" not in path.parts for event in _events(path)}


def _folder_of(package: str) -> Path:
    """Where a package is installed: for the tests of the wheel not in this tree."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


def _events(path: Path) -> Iterator[Event]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    loggers = {
        ast.unparse(target): name
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for name in [_logger_named_in(node.value)]
        if name
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    if not loggers and path.name not in PASSED_ON:
        return
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS):
            continue
        logger = loggers.get(ast.unparse(node.func.value)) or _borrowed(node.func.value, loggers, path)
        if logger is None:
            continue
        for name in _names(node):
            yield Event(logger, LEVELS[node.func.attr], name)


def _logger_named_in(value: ast.expr) -> str | None:
    for node in ast.walk(value):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "logging.getLogger" and node.args):
            continue
        match node.args[0]:
            case ast.Constant(value=name):
                return str(name)
            case ast.Name(id=name):
                return NAMED[name]
    return None


def _borrowed(logger: ast.expr, loggers: dict[str, str], path: Path) -> str | None:
    text = ast.unparse(logger)
    if text in {"log", "throttle", "_log"} and path.name in PASSED_ON:
        return PASSED_ON[path.name]
    return next(iter(loggers.values()), None) if text in {"_log", "_logger", "self._log"} else None


def _names(call: ast.Call) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict):
            fields = {
                ast.unparse(key): value
                for key, value in zip(keyword.value.keys, keyword.value.values, strict=True)
                if key
            }
            name = fields["'event'"]
            assert isinstance(name, ast.Constant)
            yield str(name.value)
            return
    if len(call.args) < 2:
        raise AssertionError(f"line {call.lineno}: a line of log without the name of its event")
    first = call.args[0]
    if isinstance(first, ast.JoinedStr):
        yield from (f"{each.value}_id" for each in RejectedId if each is not RejectedId.UNKNOWN)
    elif isinstance(first, ast.Constant) and isinstance(first.value, str) and "%" not in first.value:
        yield first.value
    else:
        raise AssertionError(f"line {call.lineno}: a line of log without the name of its event")
