"""All settings, each with its meaning, unit and default; read once, checked as a whole, and frozen.

```
constructor > WSGESSIONS_* variables > wsgessions.toml or [tool.wsgessions] in pyproject.toml > default
```

Files are those of the working directory. In the environment ``__`` goes into a table, as in
``WSGESSIONS_COOKIE__SAMESITE=strict``. Names of the Terracotta guide, such as ``sessionLocking``, are accepted in every
source. Any wrong setting, unknown names and values of later releases included, is a `ConfigError` at start that names
the setting and where its value came from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NoReturn, Self, Unpack

from pydantic import ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from ..errors import ConfigError
from .checks import contradictions
from .cookie import CookieSettings
from .fields import SettingFields
from .names import GUIDE_NAMES
from .overrides import SettingOverrides
from .problems import combined, config_errors
from .sources import EnvironmentSource, FileSource, from_constructor, is_sourced, merged, shielded, unwrapped

__all__ = ["SessionSettings"]


class SessionSettings(SettingFields):
    """The settings of one application. Frozen; masks its secrets in all output; cannot be pickled (S-79).

    Args:
        values: settings by name. Unlike those of environment and files they may be Python objects: a `timedelta`, a
            list, a dict or `CookieSettings` for ``cookie``, a function without arguments for ``secrets`` or ``pepper``.

    Raises:
        ConfigError: at least one setting is wrong; the text names all of these.
    """

    _given: dict[str, Any] = PrivateAttr(default_factory=dict)
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    def __init__(self, **values: Unpack[SettingOverrides]) -> None:
        # Error trackers show the variables of an error's frames: from here on no frame holds a bare value (S-79).
        given = shielded(type(self), values)
        del values
        super().__init__(**from_constructor(type(self), given))

    @classmethod
    def load(cls, base: SessionSettings | None, overrides: Mapping[str, Any]) -> Self:
        """Settings with some of them replaced.

        Args:
            base: the settings to start from; their values keep their origins. None for those of environment and files.
            overrides: settings by name, as for the constructor.

        Raises:
            ConfigError: a setting is wrong.
        """
        overrides = shielded(cls, overrides)
        given = from_constructor(cls, overrides)
        below: Mapping[str, Any] = {} if base is None else base.given
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
        """Our own sources in place of the usual ones: they record origins, and reject unknown names."""
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
            settings.remember_sources(data, origins)
        if settings is not None:
            problems = [
                ConfigError(message, setting=name, origin=settings.origin(name), hint=hint)
                for name, message, hint in contradictions(settings)
            ]
        if settings is None or problems:
            raise combined(problems)
        return settings

    @property
    def given(self) -> Mapping[str, Any]:
        """The values that were given, with their sources: what `load` puts others above. For this package."""
        return self._given

    def remember_sources(self, given: dict[str, Any], origins: dict[str, str]) -> None:
        """Keep where the values came from. For this package.

        Args:
            given: see `given`.
            origins: see `origin`.
        """
        self._given, self._origins = given, origins

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
    def plain_http_cookie(self) -> CookieSettings | None:
        """The cookie of requests over plain http, in development; None if it is the same as over TLS (S-24, S-25)."""
        says = self.cookie.insecure or "secure" in self.cookie.model_fields_set
        return None if says or self.env != "development" else self.cookie.over_plain_http()

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
    def grace_seconds(self) -> float:
        """How long a store keeps a session after its idle time, since a use before that may be reported so late
        (C-16).
        """
        return (self.touch_interval + self.touch_step + self.lease).total_seconds()

    @property
    def renew_grace_ms(self) -> int:
        """`renew_grace` in milliseconds."""
        return self.renew_grace // timedelta(milliseconds=1)

    @property
    def clients_remembered(self) -> int:
        """The number of clients with cached cookies, a kilobyte each.

        One for each 32 KiB of `max_bytes_on_heap`, at least 512: 4 096 by default. For a while it may be twice as many,
        so that up to a sixteenth of that limit comes on top of it.
        """
        return max(512, self.max_bytes_on_heap // 2**15)

    @property
    def warn_session_bytes(self) -> int:
        """The size of a session from which on a warning is logged (R-04): a quarter of `max_session_bytes`."""
        return self.max_session_bytes // 4

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As `load`: a copy is validated as a whole, too."""
        return self.load(self, update or {})

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("settings may hold secrets and are not pickled; make them anew in the other process")
