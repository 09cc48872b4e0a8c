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
    """For plain http on loopback only: leaves Secure out and makes `sid` the default name, since a browser takes no
    `__Host-` cookie without Secure (S-24)."""
    name: str
    """The id cookie's name; the watermark's cookie bears it with `-v` at the end. With `cookie.insecure` the default is
    `sid`."""
    path: str
    """The path below which the browser sends the cookie; `__Host-` names allow only `/`."""
    domain: str | None
    """The domain whose hosts all receive the cookie; by default only the host that set it does. `__Host-` names allow
    none."""
    secure: bool
    """Whether the browser sends the cookie over TLS only. False only with `cookie.insecure`."""
    httponly: bool
    """Whether scripts in the page are kept from reading the cookie."""
    samesite: Literal["lax", "strict", "none"]
    """Whether requests that come from other sites carry the cookie: `lax`, `strict` or `none`, which needs Secure
    (S-22)."""
    partitioned: bool
    """Whether an embedded page has a cookie of its own for each embedding site (CHIPS, S-23)."""
    max_age: Duration | None
    """How long the browser keeps the cookie, in whole seconds; at most 400 days, and never beyond the session's
    absolute deadline (S-27). By default until the browser is closed."""


class SettingOverrides(TypedDict, total=False):
    """Single settings by name, and by the names of the Terracotta guide that are words of Python."""

    adapter: str
    """The adapter that `install(app)` uses: a registered name (`fastapi`), a class name (`FastAPIAdapter`) or a path
    (`package.module:Class`). `auto` goes by the class of the app."""
    env: Literal["development", "production"]
    """`production` refuses to start with a store that forgets, was not named, or is spoken to in clear text or without
    looking at its certificate; or with a cookie that can be read on the way or by scripts."""
    allow_eviction: bool
    """Accept a server that throws sessions away when its memory is short (`maxmemory-policy` other than `noeviction`),
    with a warning. A session lost that way is a new visitor. It needs `concurrency`, and goes better with `secrets`,
    since the store may evict its own records of these too (C-18)."""
    allow_volatile: bool
    """In production, accept a server that keeps no append-only file, with a warning: its restart loses sessions, and
    may bring back what had ended. For services that keep data safe by other means."""
    allow_clear_text: bool
    """In production, accept a store beyond this machine without TLS: every host on the way can read and change
    sessions, and hears the password. For networks that encrypt by themselves."""
    start_degraded: bool
    """Start although the store cannot be reached, with a warning. What uses the session answers 503 until the store is
    there (R-45). A store that must not be used as configured still fails the start."""
    namespace: str
    """The prefix of every key in the store; one for each group of applications that share it."""
    store_url: str | StoreUrl
    """Where sessions live: `embedded:[directory]` (default `./.wsgessions`), `memory:`, `valkey://` or `redis://`
    (`valkeys://` and `rediss://` for TLS), `unix://`, `aiocache:alias`, or what another package brings. Several
    servers, separated by commas, are tried in turn."""
    context_path: str
    """The name of this application in the cluster, a path. Applications with the same context share sessions."""
    assurance: Literal["none", "aal1", "aal2", "aal3"]
    """A level of NIST SP 800-63B that sets the defaults of the two timeouts below and refuses longer ones: `aal1` 30 d
    in all; `aal2` 24 h in all, 1 h idle; `aal3` 12 h in all, 15 min idle (S-53). It says nothing of how people log in,
    and the application may still give a single session another idle time."""
    max_inactive_interval: Duration
    """Idle time after which a session ends, by the store's clock. -1 or 0: idling never ends it. A number under the
    guide's name is of minutes, as in web.xml."""
    absolute_timeout: Duration
    """Age at which a session ends, whatever its use; at most 400 days. Never extended."""
    renew_interval: Duration | None
    """Age at which the id of a session in use is replaced by a new one (S-07). Off by default: a login gives a new id
    anyway."""
    renew_grace: Duration
    """How long the old id still counts after that, for requests that were sent with it; at most 10 s."""
    session_locking: bool
    """Whether requests of one session wait for each other. This release: false only."""
    synchronous_write: bool
    """Whether a response waits for replicas too. At false it waits for the primary. This release: false only."""
    max_bytes_on_heap: Size
    """Memory for hot sessions in each process; 0 for none: each request then asks the store. At most a tenth of it goes
    to one session."""
    max_bytes_off_heap: Size
    """Memory outside the heap of each process for encoded sessions, which all processes of this host share; 0 for none,
    else at least 64K. It takes what the heap has no room for, and spares a round trip when a client comes to another
    process of the same host. Not on Windows."""
    nonstop_timeout: Duration | None
    """One deadline for all store work of a request. -1: wait for ever. A number under the guide's name is of
    milliseconds."""
    nonstop_behavior: Literal["exception"]
    """What happens after that deadline. This release: `exception` only."""
    rejoin: bool
    """Whether a node that was cut off comes back by itself. This release: true only."""
    concurrency: int
    """Number of segments of the store, a power of two up to 4096; 0 lets the store choose. Recorded in the store at its
    first use; another value is refused then."""
    tracking_table_max_keys: int
    """How many sessions the server can watch for all near caches together: what its own setting of this name says
    (`tracking-table-max-keys`); 0 for no limit, which the embedded store has in any case. Nearly as many are worth a
    warning (C-18)."""
    heartbeat: Duration
    """Interval at which a node proves that its copies of sessions are fresh (C-4)."""
    lease: Duration
    """Time after a heartbeat during which a node may answer from its own memory; at least three heartbeats, at most 5
    s; 0 always asks the store (C-4). Together with `touch_interval` the time by which a use may be reported late; so is
    `touch_step`."""
    touch_interval: Duration
    """Interval at which a node tells the store which sessions were used (C-16)."""
    touch_step: Duration
    """Least time between two such reports of one session by one node, so that the store has less to do: at most 60 s
    and 5 % of `max_inactive_interval`, or of the session's own idle time. Idle times are kept to within it (S-63). By
    default a session in use is reported at every `touch_interval`."""
    max_session_bytes: Size
    """Limit on names and encoded values of one session, 1K to 4M; a quarter of it is worth a warning. What exceeds it
    is refused, and the stored session stays as it was."""
    max_attributes: int
    """Limit on the attributes of one session."""
    lock_wait: Duration
    """How long a request waits for a locked session, once there is `session_locking` (D-6)."""
    late_commit: Literal["allow", "barrier", "refuse"]
    """Changes made after the response has started: `allow` stores them at the end, `barrier` waits then until no node
    can serve the state before, `refuse` raises an error (C-13)."""
    invalidate_barrier: bool
    """Whether ending a session waits until no node can serve it any more: some milliseconds, or a lease where a node
    does not answer (C-15)."""
    hop_check: bool
    """Ask the store whenever a client comes from another node, even if this one's copy would do. Two tabs of one
    browser then disagree for no longer than an invalidation travels (C-14)."""
    save_on_error: bool
    """Whether changes are stored although the response is a 5xx (R-33)."""
    conflicts: Literal["overwrite", "raise"]
    """When two requests change the same attribute: `overwrite` lets the last win and counts it, `raise` refuses the
    second (C-10)."""
    anonymous_timeout: Duration | None
    """A shorter idle time before a login (S-51). This release: off only."""
    fsync: Literal["everysec", "always"]
    """How often the embedded store writes to disk: `everysec` loses at most the last two seconds with the machine,
    `always` nothing."""
    maxmemory: Size
    """Bytes of data that the embedded store takes, from 16M on; what would go beyond is refused, and nothing stored is
    dropped. 0: half of the memory of the machine or container. The process that starts the store decides."""
    exclude: Paths
    """Path prefixes whose requests load no session. In text: separated by commas."""
    no_store: Paths
    """Path prefixes below which each response that used the session is `Cache-Control: no-store`, so that no cache
    keeps it, that of the browser included; `/` for all (S-42). In text: separated by commas."""
    header: str | None
    """A header, such as `X-Session-Id`, by which clients without cookies carry their session; the watermark's has
    `-Watermark` at the end. A request that has it is answered by it (S-05)."""
    secrets_file: str | Path | None
    """A file with `secrets`, one a line. One that all users of the machine can read is refused."""
    secrets: Secrets | Callable[[], Secrets]
    """Key ring of at least 32 bytes each: the first signs, all verify. In text: separated by commas. Without any, the
    store keeps a key that its first node made (C-11)."""
    id_length: int
    """Characters of a session id, 6 random bits each; 24 to 86. Fewer would not leave 128 fresh bits when an id is
    rotated (S-01). The same on every node. Ids of another length are not ids: changing it makes all sessions
    unknown."""
    pepper: Secret | Callable[[], Secret] | None
    """A secret of at least 32 bytes that keys the digests under which sessions are stored: without it, a reader or
    writer of the store can neither test an id nor plant a session under one (S-08). The same on every node. Setting,
    changing or removing it makes all sessions unknown."""
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
