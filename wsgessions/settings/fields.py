"""All settings, each with its type, default and meaning. `groups` has their order for people."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, ValidationInfo
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


def _of_context(cookie: CookieSettings, others: ValidationInfo) -> CookieSettings:
    return cookie.of_context(others.data.get("context_path", "/"))


class SettingFields(BaseSettings):
    """The fields of `SessionSettings`, which reads and checks them."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True, arbitrary_types_allowed=True
    )

    env: Environment = Field(
        default="development",
        description="`production` refuses to start with a store that is volatile, was not named, or is "
        "connected without TLS or without checking its certificate; or with a cookie that is readable in "
        "transit or by scripts. In `development` a request over plain http gets a cookie without Secure, named "
        "`sid` in place of `__Host-sid`; over https only the latter counts.",
    )
    store_url: CheckedStoreUrl = Field(
        default=StoreUrl("embedded:"),
        description="Where sessions are stored: `embedded:[directory]` (default: one per project, in a state directory "
        "of the user), `memory:`, `valkey://` or `redis://` (`valkeys://` and `rediss://` for TLS), `unix://`, "
        "`aiocache:alias`, or the scheme of another package. Several servers, separated by commas, are tried "
        "in turn.",
    )
    namespace: Namespace = Field(
        default="wsg",
        description="The prefix of every key in the store; one for each group of applications that share it.",
    )
    context_path: ContextPath = Field(
        default="/",
        description="The name of this application in the cluster, a path. Applications with the same context share "
        "sessions. On one host applications with different contexts have a cookie each, by default (`cookie.name`).",
    )
    adapter: AdapterName = Field(
        default="auto",
        description="The adapter that `install(app)` uses: a registered name (`fastapi`), a class name "
        "(`FastAPIAdapter`) or a path (`package.module:Class`). `auto` chooses it by the class of the "
        "application.",
    )
    assurance: Assurance = Field(
        default="none",
        description="A level of NIST SP 800-63B that sets the defaults of `max_inactive_interval` and "
        "`absolute_timeout`, and rejects longer ones: `aal1` 30 d in all; `aal2` 24 h in all, 1 h idle; `aal3` 12 h in "
        "all, 15 min idle. It does not cover the method of login, and the application may still give a single "
        "session another idle time.",
    )
    max_inactive_interval: IdleTimeout = Field(
        default_factory=default_idle,
        description="Idle time after which a session ends, by the store's clock. -1 or 0: a session never "
        "ends by idling.",
    )
    absolute_timeout: AbsoluteTimeout = Field(
        default_factory=default_absolute,
        description="Age at which a session ends, even if it is in use; at most 400 days. Never extended.",
    )
    renew_interval: OffOrDuration = Field(
        default=None,
        description="Age at which the id of a session in use is replaced by a new one. Off by default: a login "
        "gives a new id anyway.",
    )
    renew_grace: RenewGrace = Field(
        default=timedelta(seconds=10),
        description="How long the old id is still accepted after the first request with the new one, for "
        "requests that were sent earlier; at most 10 s.",
    )
    touch_interval: Duration = Field(
        default=timedelta(seconds=1),
        description="Interval at which a process reports used sessions to the store.",
    )
    touch_step: ZeroOrMore = Field(
        default=timedelta(0),
        description="Least time between two such reports of one session by one process, which reduces the load "
        "of the store: at most 60 s and 5 % of `max_inactive_interval`, or of the session's own idle time. "
        "Idle times are exact to within it. By default a session in use is reported at every `touch_interval`.",
    )
    allow_volatile: Switch = Field(
        default=False,
        description="In production, accept a server without an append-only file, with a warning: its "
        "restart loses sessions, and may bring back ended ones. For services that keep data safe by other "
        "means.",
    )
    allow_eviction: Switch = Field(
        default=False,
        description="Accept a server that evicts sessions when its memory is full (`maxmemory-policy` other "
        "than `noeviction`), with a warning. The visitor of an evicted session is a new visitor. It needs "
        "`concurrency`, and should be used with `secrets`, since the server may evict its records of the number of "
        "segments and of the signing key too.",
    )
    allow_clear_text: Switch = Field(
        default=False,
        description="In production, accept a store beyond this machine without TLS: every host on the "
        "network path can read and change sessions, and can read the password. For networks that encrypt by "
        "themselves.",
    )
    concurrency: Concurrency = Field(
        default=0,
        description="Number of segments of the store, a power of two up to 4096; 0 lets the store choose. "
        "Recorded in the store at its first use; a different value is an error afterwards.",
    )
    fsync: FsyncPolicy = Field(
        default="everysec",
        description="How often the embedded store writes to disk: `everysec` loses at most the last two seconds with "
        "the machine, `always` nothing.",
    )
    maxmemory: MaxMemory = Field(
        default=0,
        description="Bytes of data that the embedded store accepts, from 16M on; changes beyond it are "
        "rejected, and no stored data is dropped. 0: half of the memory of the machine or container. The "
        "process that starts the store decides.",
    )
    max_bytes_on_heap: Size = Field(
        default=128 * 2**20,
        ge=0,
        description="Memory for hot sessions in each process; 0 for none: each request then reads the "
        "store. A session may use at most a tenth of it.",
    )
    max_bytes_off_heap: Size = Field(
        default=0,
        ge=0,
        description="Memory outside the heap of each process for encoded sessions, which all processes of "
        "this host share; 0 for none, else at least 64K. It keeps sessions that the heap has no room for, and "
        "saves a round trip when a client reaches another process of the same host. Not on Windows.",
    )
    lease: LeaseTime = Field(
        default=timedelta(seconds=1.5),
        description="Time after a heartbeat during which a process may answer from its own memory; at least "
        "three heartbeats, at most 5 s; with 0 each request reads the store. Together with "
        "`touch_interval` and `touch_step` it is the time by which a use may be reported late.",
    )
    heartbeat: Duration = Field(
        default=timedelta(seconds=0.5),
        description="Interval at which a process proves that its copies of sessions are fresh.",
    )
    hop_check: Switch = Field(
        default=False,
        description="Read the store whenever a client comes from another process, even if this process has a "
        "sufficiently new copy. Two tabs of one browser then disagree for no longer than an invalidation "
        "travels.",
    )
    invalidate_barrier: Switch = Field(
        default=False,
        description="Whether ending a session waits until no process can serve it any more: some milliseconds, or a "
        "lease where a process does not answer.",
    )
    tracking_table_max_keys: int = Field(
        default=TRACKED_KEYS,
        ge=0,
        description="How many sessions the server can track for all near caches together: the value of its "
        "own setting of this name (`tracking-table-max-keys`); 0 for no limit, which the embedded store has "
        "in any case. A warning is logged when the number of tracked sessions comes near it.",
    )
    conflicts: ConflictRule = Field(
        default="overwrite",
        description="When two requests change the same attribute: with `overwrite` the last one wins and "
        "the conflict is counted, with `raise` the second one gets an error.",
    )
    late_commit: LateCommit = Field(
        default="allow",
        description="Changes made after the response has started: `allow` stores them at the end, `barrier` "
        "also waits until no process can serve the state before, `refuse` raises an error.",
    )
    nonstop_timeout: NonStop = Field(
        default=timedelta(seconds=2),
        description="One deadline for all store work of a request, after which a route that uses the session answers "
        "503. -1: wait for ever.",
    )
    start_degraded: Switch = Field(
        default=False,
        description="Start although the store cannot be reached, with a warning. Routes that use the "
        "session answer 503 until the store is reachable. A store with a configuration that is not allowed "
        "still fails the start.",
    )
    save_on_error: Switch = Field(
        default=False, description="Whether changes are stored although the response is a 5xx."
    )
    max_session_bytes: SessionBytes = Field(
        default=256 * 2**10,
        description="Limit on names and encoded values of one session, 1K to 4M; a warning is logged from a "
        "quarter of it on. A larger change raises an error, and the stored session stays unchanged.",
    )
    max_attributes: int = Field(default=1024, gt=0, description="Limit on the attributes of one session.")
    strict_values: Switch = Field(
        default=False,
        description="Whether a value of a subclass, such as an `OrderedDict` or a member of a `StrEnum`, is an "
        "error. By default it is stored as the built-in value that it is, as JSON does, and read as that.",
    )
    exclude: PathPrefixes = Field(
        default=(), description="Path prefixes of requests that load no session. In text: separated by commas."
    )
    no_store: UnstoredPaths = Field(
        default=(),
        description="Path prefixes below which each response that used the session has `Cache-Control: "
        "no-store`, so that no cache keeps it, not even that of the browser; `/` for all. In text: "
        "separated by commas.",
    )
    header: HeaderName = Field(
        default=None,
        description="A header, such as `X-Session-Id`, by which clients without cookies send their "
        "session's id; the watermark's header has `-Watermark` at the end. The response to a request with "
        "this header uses it too.",
    )
    secrets_file: SecretsFile = Field(
        default=None,
        description="A file with `secrets`, one a line. It is an error if all users of the machine can read it.",
    )
    secrets: KeyRing = Field(
        default_factory=lambda data: read_secrets(data.get("secrets_file")),
        description="Key ring of at least 32 bytes each: the first key signs, all verify. In text: "
        "separated by commas. Without any, the store keeps a key that its first process made.",
    )
    pepper: Pepper = Field(
        default=None,
        description="A secret of at least 32 bytes that keys the digests under which sessions are stored: "
        "without it, an attacker with access to the store can neither test an id nor plant a session under "
        "one. It must be the same in every process. Setting, changing or removing it makes all sessions "
        "unknown.",
    )
    id_length: IdLength = Field(
        default=ID_LENGTH,
        description="Characters of a session id, 6 random bits each; 24 to 86. Fewer would not leave 128 "
        "fresh bits when an id is rotated. It must be the same in every process. Ids of another length "
        "are invalid: a change makes all sessions unknown.",
    )
    session_locking: OnlyFalse = Field(
        default=False, description="Whether requests of one session wait for each other. This release: false only."
    )
    lock_wait: Duration = Field(
        default=timedelta(seconds=10),
        description="How long a request waits for a locked session. Without effect until a release has "
        "`session_locking`.",
    )
    synchronous_write: OnlyFalse = Field(
        default=False,
        description="Whether a response waits for replicas too. With false it waits for the primary. This "
        "release: false only.",
    )
    nonstop_behavior: NonStopBehavior = Field(
        default="exception",
        description="What happens after the deadline `nonstop_timeout`. This release: `exception` only.",
    )
    rejoin: OnlyTrue = Field(
        default=True, description="Whether a process that was cut off reconnects by itself. This release: true only."
    )
    anonymous_timeout: NoAnonymousTimeout = Field(
        default=None, description="A shorter idle time before a login. This release: off only."
    )
    encryption: NoEncryption = Field(
        default=None, description="How values are encrypted in the store. This release: none only."
    )
    cookie: Annotated[CookieSettings, AfterValidator(_of_context)] = Field(
        default_factory=CookieSettings, description="The session cookie; a table."
    )
