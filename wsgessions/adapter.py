"""The protocol of adapters, which install sessions in the applications of one web framework.

An adapter holds no session logic. It installs the `SessionMiddleware` as the outermost middleware of the framework, and
provides the framework's own way to reach the session. `wsgessions.testing.AdapterSuite` is its contract as tests.

An adapter is registered under the import name of its framework; so ``install(app)`` finds it by the class of the app:

```toml
[project.entry-points."wsgessions.adapters"]
sanic = "my_package:SanicAdapter"
```
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, Unpack

from .framework_versions import FrameworkVersions
from .manager import SessionManager, StoreOrClient
from .settings import SessionSettings, SettingOverrides

__all__ = ["Adapter"]


class Adapter(Protocol):
    """Installs sessions into applications of one framework.

    Args:
        settings: the settings; by default those of the environment and the files.
        manager: the manager to use, when applications share one; by default one of its own, made from the settings.
        store: a store to use, or the connection of a client, as `wsgessions.SessionManager` has it.
        overrides: single settings by name, in place of ``settings``.

    Raises:
        ConfigError: a setting is wrong, or a manager is given and settings or a store too.
    """

    framework: ClassVar[FrameworkVersions | None] = None
    """The versions of the framework that it supports: shown by ``wsgessions adapters``, and checked by `install(app)`.
    Its own `install` begins with ``check_framework(self)``. None, or no such attribute, if it declares none."""

    def __init__(
        self,
        settings: SessionSettings | None = None,
        *,
        manager: SessionManager | None = None,
        store: StoreOrClient | None = None,
        **overrides: Unpack[SettingOverrides],
    ) -> None: ...

    @classmethod
    def fits(cls, app: object) -> bool:
        """Whether ``app`` is an application of this framework."""
        ...

    def install(self, app: Any) -> Any:
        """Install sessions in the application. If they are installed twice, the first installation acts, and a warning
        is logged (R-50).

        Returns:
            The application, or its replacement.

        Raises:
            ConfigError: the application has started already, or has sessions of another kind; the framework's version
                is not supported.
        """
        ...
