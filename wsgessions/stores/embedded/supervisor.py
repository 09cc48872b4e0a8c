"""The process that owns the server of one directory: starts, restarts and, when no user is left, stops it (F-24)."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from ...errors import StoreUnavailable
from .configuration import Listening
from .connection import Connection, ServedBy
from .directory import StoreDirectory, disk_trouble
from .endpoint import Secret
from .engine import Engine
from .locks import FileLock
from .memory import half_of_memory
from .password import kept_password
from .peer import own_namespace
from .plan import Observer, Plan
from .private_files import read_private
from .processes import ProcessMark
from .rewriting import Rewriting
from .wakeups import Wakeups

__all__ = ["Supervisor"]

_TICK: Final = 0.4
"""Seconds between two checks of the users' lock."""

_GRACE: Final = 1.5
"""Seconds without users before the server stops: an application that reloads finds it running. With `_TICK` and the
stop itself this stays well below the five seconds that are promised."""

_PREDECESSOR_PATIENCE: Final = 3.0
_SILENCE_PATIENCE: Final = 30.0
_HEALTH_INTERVAL: Final = 5.0
_REWRITE_INTERVAL: Final = 3600.0
"""Seconds: the longest time that an ended session stays in the server's file, without the time of the rewrite."""

_SETTLED_AFTER: Final = 10.0
_LONGEST_PAUSE: Final = 2.0
_MOST_FAILURES: Final = 5
_PORT_TRIES: Final = 3


class Supervisor:
    """Runs one server until it is told to stop or, if embedded, until no process uses the directory.

    Args:
        directory: prepared.
        plan: the task.
        lock: ``supervisor.lock``, held: it makes this the only supervisor.
        observer: receives the events.
    """

    def __init__(self, directory: StoreDirectory, plan: Plan, lock: FileLock, observer: Observer) -> None:
        self._directory = directory
        self._plan = plan
        self._lock = lock
        self._observer = observer
        self._wakeups = Wakeups()
        self._users = FileLock(directory.users_lock)
        self._data = FileLock(directory.server_lock)
        self._takeover = FileLock(directory.takeover_lock)
        self._engine: Engine | None = None
        self._told: FileLock | None = None
        self._password = Secret(secrets.token_urlsafe(32))
        self._used_at = self._checked_at = time.monotonic()
        self._failures = 0
        self._is_writing = True
        self._rewriting = Rewriting(directory, observer, _REWRITE_INTERVAL)

    def run(self) -> None:
        """Return when the server has been stopped.

        Raises:
            ConfigError: the server cannot run here.
            StoreUnavailable: it does not start, or dies again and again.
        """
        with self._wakeups:
            try:
                self._withdraw()
                self._password = self._chosen_password()
                if self._takes_over():
                    self._start_first()
                self._used_at = time.monotonic()
                while not self._wakeups.stop_requested and not self._is_deserted():
                    self._wakeups.wait(_TICK)
                    self._look_after()
            finally:
                self._stop()

    def _chosen_password(self) -> Secret:
        # Clients of other hosts have the password in their settings, so `wsgessions server` keeps it over restarts.
        is_server = self._plan.served_by is ServedBy.SERVER
        return kept_password(self._directory) if is_server else self._password

    def _takes_over(self) -> bool:
        """Wait for the server of a supervisor that was killed, and end it if it does not end by itself.

        False if this process is stopped meanwhile.
        """
        if self._gets_data() or self._wakeups.stop_requested:
            return not self._wakeups.stop_requested
        mark = ProcessMark.from_bytes(read_private(self._directory.server_pid))
        if mark:
            mark.kill()
        if not self._gets_data():
            raise StoreUnavailable(
                f"the data of {self._directory} is still in use by the server of an earlier supervisor",
                hint=f"end the process that has {self._directory.server_lock} open",
            )
        return True

    def _gets_data(self) -> bool:
        until = time.monotonic() + _PREDECESSOR_PATIENCE
        while not self._data.try_alone():
            if self._wakeups.stop_requested or time.monotonic() > until:
                return False
            self._observer.starting("waiting for an earlier server to stop")
            self._wakeups.wait(0.05)
        return True

    def _start_first(self) -> None:
        for tries_left in reversed(range(_PORT_TRIES)):
            try:
                self._start()
            except StoreUnavailable:
                # A port that was free when it was drawn may be taken a moment later.
                is_drawn = self._engine and self._engine.listening.port and not self._plan.port
                if not is_drawn or not tries_left:
                    raise
            else:
                return

    def _start(self) -> None:
        plan = self._plan
        listening = Listening.at(self._directory, plan.doors, plan.port, plan.bind)
        self._engine = engine = Engine(
            self._directory,
            Path(plan.server),
            listening,
            self._password,
            fsync=plan.fsync,
            maxmemory=plan.maxmemory or half_of_memory(),
        )
        engine.start(self._data)
        told = self._until_ready(engine)
        if told is not None:
            self._publish(engine, told)

    def _until_ready(self, engine: Engine) -> dict[str, str] | None:
        """The server's information when it is ready; None if this process must stop."""
        heard_at, reason = time.monotonic(), ""
        while not self._wakeups.stop_requested:
            if engine.has_ended():
                raise engine.failure()
            try:
                told = engine.info()
                if told["loading"] == "0":
                    return told
                self._observer.starting(f"reading its file, {told.get('loading_loaded_perc', '0')} %")
                heard_at = time.monotonic()
            except OSError as error:
                reason = str(error)
            if time.monotonic() - heard_at > _SILENCE_PATIENCE:
                raise StoreUnavailable(f"the server of {self._directory} started and does not answer: {reason}")
            self._wakeups.wait(0.02)
        return None

    def _publish(self, engine: Engine, told: dict[str, str]) -> None:
        connection = Connection(
            socket=engine.listening.socket,
            host=engine.listening.host,
            port=engine.listening.port,
            password=self._password,
            fsync=self._plan.fsync,
            served_by=self._plan.served_by,
            supervisor_pid=os.getpid(),
            server_pid=engine.pid,
            pid_namespace=own_namespace(),
            server_version=told["valkey_version"],
            started_by=self._plan.started_by,
        )
        try:
            self._told = connection.write(self._directory)
        except OSError as error:
            raise disk_trouble(error, self._directory.path) from error
        self._observer.ready(connection)

    def _is_deserted(self) -> bool:
        """Whether to stop. Without users, this takes their lock, so that new users wait for the end."""
        if not self._lock.is_current():
            self._observer.trouble(f"{self._directory} was removed or replaced")
            return True
        if self._plan.served_by is ServedBy.SERVER:
            return False
        if self._takeover.is_held():
            self._observer.trouble(f"a wsgessions server takes {self._directory} over")
            return True
        if not self._users.try_alone():
            self._used_at = time.monotonic()
        elif time.monotonic() - self._used_at >= _GRACE:
            return True
        else:
            self._users.give_back()
        return False

    def _look_after(self) -> None:
        engine = self._engine
        if engine is None or self._wakeups.stop_requested:
            return
        if engine.has_ended():
            self._observer.trouble(str(engine.failure()))
            self._revive(engine)
        elif time.monotonic() - self._checked_at > _HEALTH_INTERVAL:
            self._checked_at = time.monotonic()
            with suppress(OSError):
                told = engine.info()
                self._check_writing(told)
                self._rewriting.look(engine, told)

    def _revive(self, dead: Engine) -> None:
        self._withdraw()
        if time.monotonic() - dead.started_at > _SETTLED_AFTER:
            self._failures = 0
        while not self._wakeups.stop_requested:
            self._failures += 1
            self._wakeups.wait(min(0.05 * 2**self._failures, _LONGEST_PAUSE))
            try:
                self._start()
            except StoreUnavailable as error:
                if self._failures >= _MOST_FAILURES:
                    raise
                self._observer.trouble(str(error))
            else:
                return

    def _check_writing(self, told: Mapping[str, str]) -> None:
        """Report when the server cannot write its file any more, and when it can again; it rejects writes meanwhile."""
        is_writing = told.get("aof_last_write_status") == "ok"
        if is_writing is not self._is_writing:
            self._is_writing = is_writing
            state = "writes its file again" if is_writing else "cannot write its file and refuses changes: disk full?"
            self._observer.trouble(f"the server of {self._directory} {state}")

    def _stop(self) -> None:
        self._withdraw()
        if self._engine:
            self._warn_of_users()
            self._engine.stop()
            self._directory.server_pid.unlink(missing_ok=True)

    def _warn_of_users(self) -> None:
        """Tells an operator that stops the server of running applications what these do."""
        if self._plan.served_by is ServedBy.SERVER and self._users.is_taken():
            self._observer.trouble(
                f"applications still use {self._directory}: they go on with an embedded store there, "
                "for this host alone, until a wsgessions server takes it over"
            )

    def _withdraw(self) -> None:
        with suppress(OSError):
            self._directory.connection.unlink(missing_ok=True)
        if self._told:
            self._told.close()
            self._told = None
