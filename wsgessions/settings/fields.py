"""What settings there are: each with its type, default and meaning, in the order of the documentation."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from ..credentials.identity import ID_LENGTH
from ..store.constants import TRACKED_KEYS
from .assurance import Assurance, default_absolute, default_idle
from .cookie import CookieSettings
from .key_ring import KeyRing, Pepper, SecretsFile, read_secrets
from .store_url import CheckedStoreUrl, StoreUrl
from .types import Duration, IdleTimeout, NonStop, OffOrDuration, OnlyFalse, OnlyTrue, Size, Switch, ZeroOrMore
from .values import (
    AbsoluteTimeout,
    AdapterName,
    Concurrency,
    ConflictRule,
    ContextPath,
    Environment,
    FsyncPolicy,
    HeaderName,
    IdLength,
    LateCommit,
    LeaseTime,
    MaxMemory,
    Namespace,
    NoAnonymousTimeout,
    NoEncryption,
    NonStopBehavior,
    PathPrefixes,
    RenewGrace,
    SessionBytes,
    UnstoredPaths,
)

__all__ = ["SettingFields"]


class SettingFields(BaseSettings):
    """The fields of `SessionSettings`, which reads and checks them."""

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
        description="`production` refuses to start with a store that forgets, was not named, or is spoken to in clear "
        "text or without looking at its certificate; or with a cookie that can be read on the way or by scripts.",
    )
    allow_eviction: Switch = Field(
        default=False,
        description="Accept a server that throws sessions away when its memory is short (`maxmemory-policy` other than "
        "`noeviction`), with a warning. A session lost that way is a new visitor. It needs `concurrency`, and "
        "goes better with `secrets`, since the store may evict its own records of these too (C-18).",
    )
    allow_volatile: Switch = Field(
        default=False,
        description="In production, accept a server that keeps no append-only file, with a warning: its restart loses "
        "sessions, and may bring back what had ended. For services that keep data safe by other means.",
    )
    allow_clear_text: Switch = Field(
        default=False,
        description="In production, accept a store beyond this machine without TLS: every host on the way can read and "
        "change sessions, and hears the password. For networks that encrypt by themselves.",
    )
    start_degraded: Switch = Field(
        default=False,
        description="Start although the store cannot be reached, with a warning. What uses the session answers 503 "
        "until the store is there (R-45). A store that must not be used as configured still fails the start.",
    )
    namespace: Namespace = Field(
        default="wsg",
        description="The prefix of every key in the store; one for each group of applications that share it.",
    )
    store_url: CheckedStoreUrl = Field(
        default=StoreUrl("embedded:"),
        description="Where sessions live: `embedded:[directory]` (default `./.wsgessions`), `memory:`, `valkey://` or "
        "`redis://` (`valkeys://` and `rediss://` for TLS), `unix://`, `aiocache:alias`, or what another package "
        "brings. Several servers, separated by commas, are tried in turn.",
    )
    context_path: ContextPath = Field(
        default="/",
        description="The name of this application in the cluster, a path. Applications with the same context share "
        "sessions.",
    )
    assurance: Assurance = Field(
        default="none",
        description="A level of NIST SP 800-63B that sets the defaults of the two timeouts below and refuses longer "
        "ones: `aal1` 30 d in all; `aal2` 24 h in all, 1 h idle; `aal3` 12 h in all, 15 min idle (S-53). It says "
        "nothing of how people log in, and the application may still give a single session another idle time.",
    )
    max_inactive_interval: IdleTimeout = Field(
        default_factory=default_idle,
        description="Idle time after which a session ends, by the store's clock. -1 or 0: idling never ends it. A "
        "number under the guide's name is of minutes, as in web.xml.",
    )
    absolute_timeout: AbsoluteTimeout = Field(
        default_factory=default_absolute,
        description="Age at which a session ends, whatever its use; at most 400 days. Never extended.",
    )
    renew_interval: OffOrDuration = Field(
        default=None,
        description="Age at which the id of a session in use is replaced by a new one (S-07). Off by default: a login "
        "gives a new id anyway.",
    )
    renew_grace: RenewGrace = Field(
        default=timedelta(seconds=10),
        description="How long the old id still counts after that, for requests that were sent with it; at most 10 s.",
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
        default=128 * 2**20,
        ge=0,
        description="Memory for hot sessions in each process; 0 for none: each request then asks the store. At most a "
        "tenth of it goes to one session.",
    )
    max_bytes_off_heap: Size = Field(
        default=0,
        ge=0,
        description="Memory outside the heap of each process for encoded sessions, which all processes of this host "
        "share; 0 for none, else at least 64K. It takes what the heap has no room for, and spares a round trip when a "
        "client comes to another process of the same host. Not on Windows.",
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
    tracking_table_max_keys: int = Field(
        default=TRACKED_KEYS,
        ge=0,
        description="How many sessions the server can watch for all near caches together: what its own setting of this "
        "name says (`tracking-table-max-keys`); 0 for no limit, which the embedded store has in any case. Nearly as "
        "many are worth a warning (C-18).",
    )
    heartbeat: Duration = Field(
        default=timedelta(seconds=0.5),
        description="Interval at which a node proves that its copies of sessions are fresh (C-4).",
    )
    lease: LeaseTime = Field(
        default=timedelta(seconds=1.5),
        description="Time after a heartbeat during which a node may answer from its own memory; at least three "
        "heartbeats, at most 5 s; 0 always asks the store (C-4). Together with `touch_interval` the time "
        "by which a use may be reported late; so is `touch_step`.",
    )
    touch_interval: Duration = Field(
        default=timedelta(seconds=1),
        description="Interval at which a node tells the store which sessions were used (C-16).",
    )
    touch_step: ZeroOrMore = Field(
        default=timedelta(0),
        description="Least time between two such reports of one session by one node, so that the store has less to "
        "do: at most 60 s and 5 % of `max_inactive_interval`, or of the session's own idle time. Idle times are kept "
        "to within it (S-63). By default a session in use is reported at every `touch_interval`.",
    )
    max_session_bytes: SessionBytes = Field(
        default=256 * 2**10,
        description="Limit on names and encoded values of one session, 1K to 4M; a quarter of it is worth a warning. "
        "What exceeds it is refused, and the stored session stays as it was.",
    )
    max_attributes: int = Field(default=1024, gt=0, description="Limit on the attributes of one session.")
    lock_wait: Duration = Field(
        default=timedelta(seconds=10),
        description="How long a request waits for a locked session, once there is `session_locking` (D-6).",
    )
    late_commit: LateCommit = Field(
        default="allow",
        description="Changes made after the response has started: `allow` stores them at the end, `barrier` waits then "
        "until no node can serve the state before, `refuse` raises an error (C-13).",
    )
    invalidate_barrier: Switch = Field(
        default=False,
        description="Whether ending a session waits until no node can serve it any more: some milliseconds, or a lease "
        "where a node does not answer (C-15).",
    )
    hop_check: Switch = Field(
        default=False,
        description="Ask the store whenever a client comes from another node, even if this one's copy would do. Two "
        "tabs of one browser then disagree for no longer than an invalidation travels (C-14).",
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
        default=None, description="A shorter idle time before a login (S-51). This release: off only."
    )
    fsync: FsyncPolicy = Field(
        default="everysec",
        description="How often the embedded store writes to disk: `everysec` loses at most the last two seconds with "
        "the machine, `always` nothing.",
    )
    maxmemory: MaxMemory = Field(
        default=0,
        description="Bytes of data that the embedded store takes, from 16M on; what would go beyond is refused, and "
        "nothing stored is dropped. 0: half of the memory of the machine or container. The process that starts the "
        "store decides.",
    )
    exclude: PathPrefixes = Field(
        default=(), description="Path prefixes whose requests load no session. In text: separated by commas."
    )
    no_store: UnstoredPaths = Field(
        default=(),
        description="Path prefixes below which each response that used the session is `Cache-Control: no-store`, so "
        "that no cache keeps it, that of the browser included; `/` for all (S-42). In text: separated by commas.",
    )
    header: HeaderName = Field(
        default=None,
        description="A header, such as `X-Session-Id`, by which clients without cookies carry their session; the "
        "watermark's has `-Watermark` at the end. A request that has it is answered by it (S-05).",
    )
    secrets_file: SecretsFile = Field(
        default=None,
        description="A file with `secrets`, one a line. One that all users of the machine can read is refused.",
    )
    secrets: KeyRing = Field(
        default_factory=lambda data: read_secrets(data.get("secrets_file")),
        description="Key ring of at least 32 bytes each: the first signs, all verify. In text: separated by commas. "
        "Without any, the store keeps a key that its first node made (C-11).",
    )
    id_length: IdLength = Field(
        default=ID_LENGTH,
        description="Characters of a session id, 6 random bits each; 24 to 86. Fewer would not leave 128 fresh bits "
        "when an id is rotated (S-01). The same on every node. Ids of another length are not ids: changing it makes "
        "all sessions unknown.",
    )
    pepper: Pepper = Field(
        default=None,
        description="A secret of at least 32 bytes that keys the digests under which sessions are stored: without it, "
        "a reader or writer of the store can neither test an id nor plant a session under one (S-08). The same on "
        "every node. Setting, changing or removing it makes all sessions unknown.",
    )
    encryption: NoEncryption = Field(
        default=None, description="How values are encrypted in the store. This release: none only."
    )
    cookie: CookieSettings = Field(default_factory=CookieSettings, description="The session cookie; a table.")
