"""What constructors take as ``**overrides``, for editors and type checkers.

Made from the settings by ``python -m tests.settings.overrides_module``; change `wsgessions.settings.fields` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypedDict

from pydantic import SecretStr

from .cookie import CookieSettings
from .store_url import StoreUrl

__all__ = ["CookieOverrides", "SettingOverrides"]

Duration = timedelta | float | str
"""A `timedelta`, a number of seconds, or a text such as ``500ms``, ``30s``, ``5m``, ``12h``."""
Size = int | str
"""A number of bytes, or a text such as ``64K``, ``128M``."""
Paths = Sequence[str] | str
"""Several, or a text that separates them by commas."""
Secret = str | SecretStr
Secrets = Secret | Sequence[Secret]


class CookieOverrides(TypedDict, total=False):
    """The settings of the session cookie."""

    insecure: bool
    """Omits Secure over TLS too, and makes `sid` the default name, since a browser accepts no `__Host-` cookie without
    Secure. Over plain http `env = "development"` does so by itself."""
    name: str
    """The id cookie's name, up to 100 characters; the watermark's cookie has the same name with `-v` at the end. With
    `cookie.insecure` the default is `sid`. With a `context_path` other than `/` the default name has it at the end:
    `__Host-sid.shop`."""
    path: str
    """The path below which the browser sends the cookie; `__Host-` names allow only `/`."""
    domain: str | None
    """The cookie's domain: all its hosts receive the cookie; by default only the host that set it does. A dot in front
    has no meaning. `__Host-` names allow no domain."""
    secure: bool
    """Whether the browser sends the cookie over TLS only. False only with `cookie.insecure`. If set to true, it holds
    in development for requests over plain http too."""
    httponly: bool
    """Whether the cookie is hidden from scripts in the page."""
    samesite: Literal["lax", "strict", "none", "off"]
    """Whether requests from other sites carry the cookie: `lax`, `strict` or `none`, which needs Secure. `off` or false
    leaves the attribute out, and the choice to the browser."""
    partitioned: bool
    """Whether an embedded page has a cookie of its own for each embedding site (CHIPS)."""
    max_age: Duration | None
    """How long the browser keeps the cookie, in whole seconds, after a change of the session, or after a use when a
    thirtieth of that time has passed; at most 400 days, and never beyond the session's absolute deadline. By default
    until the browser is closed."""


class SettingOverrides(TypedDict, total=False):
    """Single settings by name, and by the names of the Terracotta guide that are words of Python."""

    env: Literal["development", "production"]
    """`production` refuses to start with a store that is volatile, was not named, or is connected without TLS or
    without checking its certificate; or with a cookie that is readable in transit or by scripts. In `development` a
    request over plain http gets a cookie without Secure, named `sid` in place of `__Host-sid`; over https only the
    latter counts."""
    store_url: str | StoreUrl
    """Where sessions are stored: `embedded:[directory]` (default: one per project, in a state directory of the user),
    `memory:`, `valkey://` or `redis://` (`valkeys://` and `rediss://` for TLS), `unix://`, `aiocache:alias`, or the
    scheme of another package. Several servers, separated by commas, are tried in turn."""
    namespace: str
    """The prefix of every key in the store; one for each group of applications that share it."""
    context_path: str
    """The name of this application in the cluster, a path. Applications with the same context share sessions. On one
    host applications with different contexts have a cookie each, by default (`cookie.name`)."""
    adapter: str
    """The adapter that `install(app)` uses: a registered name (`fastapi`), a class name (`FastAPIAdapter`) or a path
    (`package.module:Class`). `auto` chooses it by the class of the application."""
    assurance: Literal["none", "aal1", "aal2", "aal3"]
    """A level of NIST SP 800-63B that sets the defaults of `max_inactive_interval` and `absolute_timeout`, and rejects
    longer ones: `aal1` 30 d in all; `aal2` 24 h in all, 1 h idle; `aal3` 12 h in all, 15 min idle. It does not cover
    the method of login, and the application may still give a single session another idle time."""
    max_inactive_interval: Duration
    """Idle time after which a session ends, by the store's clock. -1 or 0: a session never ends by idling."""
    absolute_timeout: Duration
    """Age at which a session ends, even if it is in use; at most 400 days. Never extended."""
    renew_interval: Duration | None
    """Age at which the id of a session in use is replaced by a new one. Off by default: a login gives a new id
    anyway."""
    renew_grace: Duration
    """How long the old id is still accepted after the first request with the new one, for requests that were sent
    earlier; at most 10 s."""
    touch_interval: Duration
    """Interval at which a process reports used sessions to the store."""
    touch_step: Duration
    """Least time between two such reports of one session by one process, which reduces the load of the store: at most
    60 s and 5 % of `max_inactive_interval`, or of the session's own idle time. Idle times are exact to within it. By
    default a session in use is reported at every `touch_interval`."""
    allow_volatile: bool
    """In production, accept a server without an append-only file, with a warning: its restart loses sessions, and may
    bring back ended ones. For services that keep data safe by other means."""
    allow_eviction: bool
    """Accept a server that evicts sessions when its memory is full (`maxmemory-policy` other than `noeviction`), with a
    warning. The visitor of an evicted session is a new visitor. It needs `concurrency`, and should be used with
    `secrets`, since the server may evict its records of the number of segments and of the signing key too."""
    allow_clear_text: bool
    """In production, accept a store beyond this machine without TLS: every host on the network path can read and change
    sessions, and can read the password. For networks that encrypt by themselves."""
    concurrency: int
    """Number of segments of the store, a power of two up to 4096; 0 lets the store choose. Recorded in the store at its
    first use; a different value is an error afterwards."""
    fsync: Literal["everysec", "always"]
    """How often the embedded store writes to disk: `everysec` loses at most the last two seconds with the machine,
    `always` nothing."""
    maxmemory: Size
    """Bytes of data that the embedded store accepts, from 16M on; changes beyond it are rejected, and no stored data is
    dropped. 0: half of the memory of the machine or container. The process that starts the store decides."""
    max_bytes_on_heap: Size
    """Memory for hot sessions in each process; 0 for none: each request then reads the store. A session may use at most
    a tenth of it."""
    max_bytes_off_heap: Size
    """Memory outside the heap of each process for encoded sessions, which all processes of this host share; 0 for none,
    else at least 64K. It keeps sessions that the heap has no room for, and saves a round trip when a client reaches
    another process of the same host. Not on Windows."""
    lease: Duration
    """Time after a heartbeat during which a process may answer from its own memory; at least three heartbeats, at most
    5 s; with 0 each request reads the store. Together with `touch_interval` and `touch_step` it is the time by which a
    use may be reported late."""
    heartbeat: Duration
    """Interval at which a process proves that its copies of sessions are fresh."""
    hop_check: bool
    """Read the store whenever a client comes from another process, even if this process has a sufficiently new copy.
    Two tabs of one browser then disagree for no longer than an invalidation travels."""
    invalidate_barrier: bool
    """Whether ending a session waits until no process can serve it any more: some milliseconds, or a lease where a
    process does not answer."""
    tracking_table_max_keys: int
    """How many sessions the server can track for all near caches together: the value of its own setting of this name
    (`tracking-table-max-keys`); 0 for no limit, which the embedded store has in any case. A warning is logged when the
    number of tracked sessions comes near it."""
    conflicts: Literal["overwrite", "raise"]
    """When two requests change the same attribute: with `overwrite` the last one wins and the conflict is counted, with
    `raise` the second one gets an error."""
    late_commit: Literal["allow", "barrier", "refuse"]
    """Changes made after the response has started: `allow` stores them at the end, `barrier` also waits until no
    process can serve the state before, `refuse` raises an error."""
    nonstop_timeout: Duration | None
    """One deadline for all store work of a request, after which a route that uses the session answers 503. -1: wait for
    ever."""
    start_degraded: bool
    """Start although the store cannot be reached, with a warning. Routes that use the session answer 503 until the
    store is reachable. A store with a configuration that is not allowed still fails the start."""
    save_on_error: bool
    """Whether changes are stored although the response is a 5xx."""
    max_session_bytes: Size
    """Limit on names and encoded values of one session, 1K to 4M; a warning is logged from a quarter of it on. A larger
    change raises an error, and the stored session stays unchanged."""
    max_attributes: int
    """Limit on the attributes of one session."""
    strict_values: bool
    """Whether a value of a subclass, such as an `OrderedDict` or a member of a `StrEnum`, is an error. By default it is
    stored as the built-in value that it is, as JSON does, and read as that."""
    exclude: Paths
    """Path prefixes of requests that load no session. In text: separated by commas."""
    no_store: Paths
    """Path prefixes below which each response that used the session has `Cache-Control: no-store`, so that no cache
    keeps it, not even that of the browser; `/` for all. In text: separated by commas."""
    header: str | None
    """A header, such as `X-Session-Id`, by which clients without cookies send their session's id; the watermark's
    header has `-Watermark` at the end. The response to a request with this header uses it too."""
    secrets_file: str | Path | None
    """A file with `secrets`, one a line. It is an error if all users of the machine can read it."""
    secrets: Secrets | Callable[[], Secrets]
    """Key ring of at least 32 bytes each: the first key signs, all verify. In text: separated by commas. Without any,
    the store keeps a key that its first process made."""
    pepper: Secret | Callable[[], Secret] | None
    """A secret of at least 32 bytes that keys the digests under which sessions are stored: without it, an attacker with
    access to the store can neither test an id nor plant a session under one. It must be the same in every process.
    Setting, changing or removing it makes all sessions unknown."""
    id_length: int
    """Characters of a session id, 6 random bits each; 24 to 86. Fewer would not leave 128 fresh bits when an id is
    rotated. It must be the same in every process. Ids of another length are invalid: a change makes all sessions
    unknown."""
    session_locking: bool
    """Whether requests of one session wait for each other. This release: false only."""
    lock_wait: Duration
    """How long a request waits for a locked session. Without effect until a release has `session_locking`."""
    synchronous_write: bool
    """Whether a response waits for replicas too. With false it waits for the primary. This release: false only."""
    nonstop_behavior: Literal["exception"]
    """What happens after the deadline `nonstop_timeout`. This release: `exception` only."""
    rejoin: bool
    """Whether a process that was cut off reconnects by itself. This release: true only."""
    anonymous_timeout: Duration | None
    """A shorter idle time before a login. This release: off only."""
    encryption: str | None
    """How values are encrypted in the store. This release: none only."""
    cookie: CookieOverrides | CookieSettings
    """The session cookie; a table."""
    filterClass: str
    """`adapter`, by the name that the guide has for it."""
    tcConfigUrl: str | StoreUrl
    """`store_url`, by the name that the guide has for it."""
    sessionTimeout: Duration
    """`max_inactive_interval`, by the name that the guide has for it."""
    sessionLocking: bool
    """`session_locking`, by the name that the guide has for it."""
    synchronousWrite: bool
    """`synchronous_write`, by the name that the guide has for it."""
    maxBytesOnHeap: Size
    """`max_bytes_on_heap`, by the name that the guide has for it."""
    maxBytesOffHeap: Size
    """`max_bytes_off_heap`, by the name that the guide has for it."""
    nonStopTimeout: Duration | None
    """`nonstop_timeout`, by the name that the guide has for it."""
