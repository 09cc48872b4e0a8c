"""What every test of the project stands on."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import threading
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Sequence
from typing import Any, TypeVar

# Test clients of Starlette import this when the first of them starts its thread. pytest compiles it anew then, and
# up to Python 3.11 a garbage collection at the wrong moment fails that ("AST constructor recursion depth mismatch").
import anyio._backends._asyncio  # noqa: F401
import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

IN_CI = bool(os.environ.get("CI"))
# Such a test goes the same ways many thousand times. Measured, it takes twice as long, and what it runs others run too.
WITHOUT_COVERAGE = ("tests/coherence/", "tests/fuzz/")
LONGEST_PARAMETER = 100
TOGETHER = 20
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
R = TypeVar("R", pytest.TestReport, pytest.CollectReport)

# A deadline would measure the machine, not the code. In CI the examples are the same on every run, so that a red run
# can be repeated; on a developer's machine they differ, so that new ones are found.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.load_profile("ci" if IN_CI else "dev")


def find_chromium() -> str | None:
    """The Chromium that drives the browser tests: the setting, or the first that is on PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium."""
    found = find_chromium()
    assert found is not None, "ask for this fixture only in tests that are marked `browser`"
    return found


@pytest.fixture(scope="session", autouse=True)
def _own_state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test leaves a store in the state directory of the developer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end, and the garbage collector need not go through it.

    Nor need it look for garbage after every 700 objects: tests make and drop so many in a few milliseconds. What waits
    for it, as a store that is in use no more, is collected where a test asks for it.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(20_000)


class GroupScheduling(LoadGroupScheduling):  # type: ignore[misc]
    """As ``--dist loadgroup``, but a worker takes up to `TOGETHER` successive tests of a module, not each by itself.

    One after another, the tests of a module went to all workers, so each of these started what a module shares: its
    servers, applications and browsers. And what is done leaves the lists, since after each test the scheduler counts
    the tests that a worker has not done among all that it was ever given.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self._units: dict[str, str] = {}

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        super().add_node_collection(node, collection)
        before: Counter[str] = Counter()
        for nodeid in collection if not self._units else ():  # all workers collect the same
            module, unit = nodeid.partition("::")[0], super()._split_scope(nodeid)
            if unit == nodeid:  # it has no group
                unit = f"{module} {before[module] // TOGETHER}"
                before[module] += 1
            self._units[nodeid] = unit

    def _split_scope(self, nodeid: str) -> str:
        return self._units[nodeid]

    def _pending_of(self, workload: dict[str, dict[str, bool]]) -> int:
        for done in [name for name, tests in workload.items() if all(tests.values())]:
            del workload[done]
        return int(super()._pending_of(workload))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling | None:
    return GroupScheduling(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.fixture(scope="module", autouse=True)
def _every_store_is_closed() -> Iterator[None]:
    """A store that stays open beats on for as long as the worker lives, and logs errors once its server is gone."""
    before = set(threading.enumerate())
    yield
    if homes_beyond(before):
        gc.collect()  # a store that is in use no more ends its thread
        assert not homes_beyond(before), "a test of this module leaves a store open; close its manager"


@pytest.fixture(autouse=True)
def _the_root_logger_stays_as_it_was() -> Iterator[None]:
    """Litestar configures it with each application, and other tests would then find more lines than they count."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)


def homes_beyond(known: Collection[threading.Thread]) -> list[threading.Thread]:
    """The threads in which stores live."""
    return [each for each in threading.enumerate() if each.name == "wsgessions home" and each not in known]


def pytest_make_parametrize_id(val: object) -> str | None:
    """Long texts are shortened in the name of a test.

    pytest puts the name into the environment, where it reaches every process that a test starts; Linux refuses to start
    one with a variable of 128 KiB.
    """
    if isinstance(val, str | bytes) and len(val) > LONGEST_PARAMETER:
        return f"{val[:16]!a}...{len(val)}"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(WITHOUT_COVERAGE):
            item.add_marker(pytest.mark.no_cover)
    if find_chromium() is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="no Chromium; `./dev browser` says how to get one"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _failed_in_ci((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _failed_in_ci((yield))


def _failed_in_ci(report: R) -> R:
    """CI must not pass because something was missing: there, what cannot run has failed."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"could not run, which CI takes for a failure: {_reason(report)}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what did not run and why, where a reader who only looks at the end will see it."""
    reports = terminalreporter.stats.get("skipped", [])
    counts = Counter((_kind(report), _reason(report)) for report in reports)
    for (kind, reason), count in sorted(counts.items()):
        terminalreporter.write_line(f"{kind}: {count} not run, {reason}", yellow=True)


def _kind(report: pytest.TestReport | pytest.CollectReport) -> str:
    return "browser" if "browser" in getattr(report, "keywords", ()) else report.nodeid.partition("::")[0]


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")
