"""All settings, each with its meaning, unit and default; read once, checked as a whole, and frozen.

```
constructor > WSGESSIONS_* variables > wsgessions.toml or [tool.wsgessions] in pyproject.toml > default
```

Files are those of the working directory. In the environment ``__`` goes into a table, as in
``WSGESSIONS_COOKIE__SAMESITE=strict``. Names of the Terracotta guide, such as ``sessionLocking``, are accepted in every
source. Whatever is wrong, unknown names and values of later releases included, is a `ConfigError` at start that names
the setting and where its value came from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, NoReturn, Self

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ..errors import ConfigError
from .checks import contradictions
from .cookie import CookieSettings
from .key_ring import KeyRing, SecretsFile, read_secrets
from .names import GUIDE_NAMES
from .problems import combined, config_errors
from .sources import EnvironmentSource, FileSource, from_constructor, is_sourced, merged, shielded, unwrapped
from .store_url import CheckedStoreUrl, StoreUrl
from .types import Duration, IdleTimeout, NonStop, OnlyFalse, OnlyTrue, Size, Switch
from .values import (
    AbsoluteTimeout,
    AdapterName,
    Concurrency,
    ConflictRule,
    ContextPath,
    Environment,
    FsyncPolicy,
    LateCommit,
    LeaseTime,
    Namespace,
    NoAnonymousTimeout,
    NoEncryption,
    NonStopBehavior,
    NoOffHeap,
    PathPrefixes,
    SessionBytes,
)

__all__ = ["SessionSettings"]


class SessionSettings(BaseSettings):
    """The settings of one application. Frozen; masks its secrets wherever it is shown; refuses to be pickled (S-79).

    Args:
        values: settings by name. Unlike those of environment and files they may be Python objects: a `timedelta`, a
            list, a dict or `CookieSettings` for ``cookie``, a function without arguments for ``secrets``.

    Raises:
        ConfigError: at least one setting is wrong; the text names them all.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True, arbitrary_types_allowed=True
    )

    adapter: AdapterName = Field(
        default="auto",
        description="The adapter that `install(app)` uses: a registered name (`fastapi`), a class name "
        "(`FastAPIAdapter`) or a path (`package.module:Class`). `auto` goes by the class of the app.",
    )
    env: Environment = Field(
        default="development",
        description="`production` refuses to start with a store that forgets, or a cookie that can be read on the way "
        "or by scripts.",
    )
    namespace: Namespace = Field(
        default="wsg",
        description="The prefix of every key in the store; one for each group of applications that share it.",
    )
    store_url: CheckedStoreUrl = Field(
        default=StoreUrl("embedded:"),
        description="Where sessions live: `embedded:[directory]` (default `./.wsgessions`), `memory:`, `valkey://` or "
        "`redis://` (`valkeys://` and `rediss://` for TLS), `unix://`. Several servers, separated by commas, are "
        "tried in turn.",
    )
    context_path: ContextPath = Field(
        default="/",
        description="The name of this application in the cluster, a path. Applications with the same context share "
        "sessions.",
    )
    max_inactive_interval: IdleTimeout = Field(
        default=timedelta(minutes=30),
        description="Idle time after which a session ends, by the store's clock. -1 or 0: idling never ends it. A "
        "number under the guide's name is of minutes, as in web.xml.",
    )
    absolute_timeout: AbsoluteTimeout = Field(
        default=timedelta(hours=24),
        description="Age at which a session ends, whatever its use; at most 400 days. Never extended.",
    )
    session_locking: OnlyFalse = Field(
        default=False, description="Whether requests of one session wait for each other. This release: false only."
    )
    synchronous_write: OnlyFalse = Field(
        default=False,
        description="Whether a response waits for replicas too. At false it waits for the primary. This release: "
        "false only.",
    )
    max_bytes_on_heap: Size = Field(
        default=128 * 2**20, ge=0, description="Memory for hot sessions in each process, once there is a near cache."
    )
    max_bytes_off_heap: NoOffHeap = Field(
        default=0, description="Memory for encoded sessions outside the heap. This release: 0 only."
    )
    nonstop_timeout: NonStop = Field(
        default=timedelta(seconds=2),
        description="One deadline for all store work of a request. -1: wait for ever. A number under the guide's name "
        "is of milliseconds.",
    )
    nonstop_behavior: NonStopBehavior = Field(
        default="exception", description="What happens after that deadline. This release: `exception` only."
    )
    rejoin: OnlyTrue = Field(
        default=True, description="Whether a node that was cut off comes back by itself. This release: true only."
    )
    concurrency: Concurrency = Field(
        default=0,
        description="Number of segments of the store, a power of two up to 4096; 0 lets the store choose. Recorded in "
        "the store at its first use; another value is refused then.",
    )
    heartbeat: Duration = Field(
        default=timedelta(seconds=0.5), description="Interval at which a node proves that it is connected (C-4)."
    )
    lease: LeaseTime = Field(
        default=timedelta(seconds=1.5),
        description="Time after a heartbeat during which a node may answer from its own memory; at least three "
        "heartbeats, at most 5 s; 0 always asks the store (C-4).",
    )
    touch_interval: Duration = Field(
        default=timedelta(seconds=1),
        description="Interval at which a node tells the store which sessions were used (C-16).",
    )
    max_session_bytes: SessionBytes = Field(
        default=256 * 2**10,
        description="Limit on names and encoded values of one session, 1K to 4M; a quarter of it is worth a warning. "
        "What exceeds it is refused, and the stored session stays as it was.",
    )
    max_attributes: int = Field(default=1024, gt=0, description="Limit on the attributes of one session.")
    lock_wait: Duration = Field(
        default=timedelta(seconds=10), description="How long a request waits for a locked session (D-6)."
    )
    late_commit: LateCommit = Field(
        default="allow",
        description="Changes made after the response has started: `allow` stores them at the end, `refuse` raises an "
        "error (C-13).",
    )
    invalidate_barrier: OnlyFalse = Field(
        default=False,
        description="Whether ending a session waits until no node can serve it any more (C-15). This release: false "
        "only.",
    )
    save_on_error: Switch = Field(
        default=False, description="Whether changes are stored although the response is a 5xx (R-33)."
    )
    conflicts: ConflictRule = Field(
        default="overwrite",
        description="When two requests change the same attribute: `overwrite` lets the last win and counts it, "
        "`raise` refuses the second (C-10).",
    )
    anonymous_timeout: NoAnonymousTimeout = Field(
        default=None, description="A shorter idle time until somebody logs in (S-51). This release: off only."
    )
    fsync: FsyncPolicy = Field(
        default="everysec",
        description="How often the embedded store writes to disk: `everysec` loses at most the last two seconds with "
        "the machine, `always` nothing.",
    )
    exclude: PathPrefixes = Field(
        default=(), description="Path prefixes whose requests load no session. In text: separated by commas."
    )
    secrets_file: SecretsFile = Field(default=None, description="A file with `secrets`, one a line.")
    secrets: KeyRing = Field(
        default_factory=lambda data: read_secrets(data.get("secrets_file")),
        description="Key ring of at least 32 bytes each: the first signs, all verify. In text: separated by commas. "
        "Without any, the store keeps a key that its first node made (C-11).",
    )
    encryption: NoEncryption = Field(
        default=None, description="How values are encrypted in the store. This release: none only."
    )
    cookie: CookieSettings = Field(default_factory=CookieSettings, description="The session cookie; a table.")

    _given: dict[str, Any] = PrivateAttr(default_factory=dict)
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    def __init__(self, **values: Any) -> None:
        # Error trackers show the variables of an error's frames: from here on no frame holds a bare value (S-79).
        given = shielded(type(self), values)
        values.clear()
        super().__init__(**from_constructor(type(self), given))

    @classmethod
    def load(cls, base: SessionSettings | None, overrides: Mapping[str, Any]) -> Self:
        """Settings with some of them replaced.

        Args:
            base: the settings to start from, whose values keep their origins; None for those of environment and files.
            overrides: settings by name, as for the constructor.

        Raises:
            ConfigError: a setting is wrong.
        """
        given = from_constructor(cls, shielded(cls, overrides))
        below = {} if base is None else base._given
        return cls(**merged(below, given))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - given by name, as the next two
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Our own sources in place of the usual ones: they note origins, and refuse unknown names."""
        return init_settings, EnvironmentSource(settings_cls), FileSource(settings_cls)

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, data: dict[str, Any] | Self, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(data, SessionSettings):
            return data
        if not is_sourced(data):  # from model_validate, which knows no sources
            return cls(**data)
        values, origins = unwrapped(data)
        problems: list[ConfigError] = []
        settings: Self | None = None
        try:
            settings = handler(values)
        except ValidationError as error:
            problems = config_errors(error, origins)
        del values
        if settings is not None and data:
            settings._given, settings._origins = data, origins
        if settings is not None:
            problems = [
                ConfigError(message, setting=name, origin=settings.origin(name), hint=hint)
                for name, message, hint in contradictions(settings)
            ]
        if settings is None or problems:
            raise combined(problems)
        return settings

    def origin(self, name: str) -> str:
        """Where the value of a setting came from.

        Args:
            name: our name or the guide's; dotted inside a table: ``"cookie.name"``.

        Returns:
            ``"constructor"``, ``"environment WSGESSIONS_..."``, ``"wsgessions.toml"``,
            ``"pyproject.toml [tool.wsgessions]"`` or ``"default"``.
        """
        ours = GUIDE_NAMES[name].setting if name in GUIDE_NAMES else name
        if ours == "secrets" and "secrets_file" in self._origins:
            ours = "secrets_file"
        return self._origins.get(ours, "default")

    @property
    def nonstop_seconds(self) -> float:
        """`nonstop_timeout` in seconds; infinite where there is none."""
        return math.inf if self.nonstop_timeout is None else self.nonstop_timeout.total_seconds()

    @property
    def interval_ms(self) -> int:
        """`max_inactive_interval` in milliseconds; 0 where idling never ends a session."""
        return self.max_inactive_interval // timedelta(milliseconds=1)

    @property
    def lifetime_ms(self) -> int:
        """`absolute_timeout` in milliseconds."""
        return self.absolute_timeout // timedelta(milliseconds=1)

    @property
    def warn_session_bytes(self) -> int:
        """The size of a session from which on a warning is due (R-04): a quarter of `max_session_bytes`."""
        return self.max_session_bytes // 4

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As `load`: a copy is checked as a whole, too."""
        return self.load(self, update or {})

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("settings may hold secrets and are not pickled; make them anew in the other process")
