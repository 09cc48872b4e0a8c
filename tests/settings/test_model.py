"""What each setting accepts, and what is refused at start (R-07, S-26, S-27, S-78, S-79)."""

from __future__ import annotations

import copy
import json
import math
import pickle
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pydantic
import pytest
from pydantic import SecretStr

from wsgessions.errors import ConfigError
from wsgessions.settings import SessionSettings, describe_settings, effective_settings
from wsgessions.settings.names import setting_names

SECRET = "kJ8xZ2vQ-mN5tR7wY1pL4sD6fG9hB3cA0eU"
OTHER = "Zq3Wn8Lr5-Tx1Vb6Ym9Kc2Hd7Gf4Js0PaEoI"
CANARY = "hunter2-Xy7Qw9"


def refused(**values: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        SessionSettings(**values)
    return caught.value


class TestDefaults:
    def test_the_defaults_are_those_of_the_documentation(self) -> None:
        settings = SessionSettings()
        assert settings.store_url.get_secret_value() == "embedded:"
        assert settings.max_inactive_interval == timedelta(minutes=30)
        assert settings.absolute_timeout == timedelta(hours=24)
        assert (settings.interval_ms, settings.lifetime_ms) == (1_800_000, 86_400_000)
        assert settings.nonstop_seconds == 2
        assert (settings.max_session_bytes, settings.warn_session_bytes) == (256 * 1024, 64 * 1024)
        assert (settings.cookie.name, settings.cookie.watermark_name) == ("__Host-sid", "__Host-sid-v")
        assert (settings.secrets, settings.exclude) == ((), ())

    def test_settings_never_change(self) -> None:
        settings = SessionSettings()
        for owner, name in ((settings, "namespace"), (settings.cookie, "name")):
            with pytest.raises(pydantic.ValidationError, match="frozen"):
                setattr(owner, name, "x")

    def test_settings_may_be_validated_again_and_stay_the_same(self) -> None:
        settings = SessionSettings(namespace="shop")
        assert SessionSettings.model_validate(settings) is settings

    def test_data_may_be_validated_as_by_the_constructor(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WSGESSIONS_FSYNC", "always")
        for data in ({}, {"namespace": "shop", "cookie": {"insecure": True}}):
            settings = SessionSettings.model_validate(data)
            assert settings.namespace == data.get("namespace", "wsg")
            assert settings.origin("fsync") == "environment WSGESSIONS_FSYNC"

    def test_clients_are_remembered_as_the_memory_for_copies_allows(self) -> None:
        limits = {0: 512, 128 * 2**20: 4096, 2**30: 32_768}
        for limit, clients in limits.items():
            assert SessionSettings(max_bytes_on_heap=limit).clients_remembered == clients

    def test_no_limit_is_infinite(self) -> None:
        settings = SessionSettings(nonstop_timeout=-1, max_inactive_interval=-1)
        assert settings.nonstop_seconds == math.inf
        assert settings.interval_ms == 0


ACCEPTED: list[tuple[str, Any, Any]] = [
    ("adapter", "FastAPIAdapter", "FastAPIAdapter"),
    ("adapter", "shop.web:Adapter", "shop.web:Adapter"),
    ("env", "Development", "development"),
    ("maxmemory", "16M", 16 * 2**20),
    ("namespace", "shop-1.a_b", "shop-1.a_b"),
    ("context_path", "/shop/", "/shop"),
    ("context_path", "/", "/"),
    ("max_inactive_interval", "never", timedelta(0)),
    ("max_inactive_interval", 0, timedelta(0)),
    ("max_inactive_interval", "90", timedelta(seconds=90)),
    ("max_inactive_interval", timedelta(hours=1), timedelta(hours=1)),
    ("absolute_timeout", "400d", timedelta(days=400)),
    ("nonstop_timeout", "500ms", timedelta(seconds=0.5)),
    ("nonstop_timeout", None, None),
    ("nonstop_timeout", "-1", None),
    ("renew_interval", "off", None),
    ("renew_interval", "1h", timedelta(hours=1)),
    ("renew_grace", "5s", timedelta(seconds=5)),
    ("concurrency", 4096, 4096),
    ("concurrency", 1, 1),
    ("lease", 0, timedelta(0)),
    ("max_session_bytes", "4M", 4 * 2**20),
    ("late_commit", "refuse", "refuse"),
    ("late_commit", "barrier", "barrier"),
    ("invalidate_barrier", "yes", True),
    ("conflicts", "raise", "raise"),
    ("anonymous_timeout", "off", None),
    ("anonymous_timeout", False, None),
    ("encryption", "none", None),
    ("fsync", "always", "always"),
    ("exclude", "/static", ("/static",)),
    ("exclude", ["/a", "/b/"], ("/a", "/b/")),
    ("no_store", "/", ("/",)),
    ("no_store", "/account, /admin", ("/account", "/admin")),
    ("no_store", "none", ()),
    ("secrets", SECRET, (SecretStr(SECRET),)),
    ("secrets", SecretStr(SECRET), (SecretStr(SECRET),)),
    ("secrets", f"{SECRET}, {OTHER}", (SecretStr(SECRET), SecretStr(OTHER))),
    ("secrets", lambda: [SECRET, OTHER], (SecretStr(SECRET), SecretStr(OTHER))),
    ("pepper", SECRET, SecretStr(SECRET)),
    ("id_length", 24, 24),
    ("id_length", "86", 86),
    ("pepper", lambda: SECRET, SecretStr(SECRET)),
    ("save_on_error", "yes", True),
    ("strict_values", "true", True),
    ("rejoin", "true", True),
    ("max_bytes_off_heap", "0", 0),
]


@pytest.mark.parametrize(("name", "value", "expected"), ACCEPTED)
def test_a_fit_value_is_taken(name: str, value: Any, expected: Any) -> None:
    assert getattr(SessionSettings(**{name: value}), name) == expected


@pytest.mark.parametrize(
    "url",
    [
        "embedded:",
        "embedded:/var/lib/shop",
        "memory:",
        "valkey://h",
        "redis://u:p@h:1/2",
        "rediss://h",
        "valkeys://h?verify=none",
        "unix:///run/valkey.sock",
        "valkey://a:1,b:2",
    ],
)
def test_a_store_of_this_release_is_taken(url: str) -> None:
    store_url = SessionSettings(store_url=url).store_url
    assert store_url.get_secret_value() == url
    assert store_url.scheme == url.partition(":")[0]


REFUSED: list[tuple[str, Any, str]] = [
    ("adapter", "", "expected a name"),
    ("adapter", "a b", "expected a name"),
    ("adapter", 5, "valid string"),
    ("env", "prod", "production"),
    ("namespace", "", "wsg"),
    ("namespace", "a:b", "letters"),
    ("namespace", "{a}", "letters"),
    ("namespace", "x" * 65, "1 to 64"),
    ("context_path", "shop", "begins with /"),
    ("context_path", "/a\nb", "begins with /"),
    ("max_inactive_interval", -5, "above zero"),
    ("max_inactive_interval", "soon", "30s"),
    ("max_inactive_interval", True, "30s"),
    ("max_inactive_interval", math.nan, "30s"),
    ("absolute_timeout", 0, "above zero"),
    ("absolute_timeout", -1, "above zero"),
    ("absolute_timeout", "401d", "400 days"),
    ("absolute_timeout", 1e300, "beyond"),
    ("nonstop_timeout", 0, "above zero"),
    ("nonstop_timeout", "-2s", "above zero"),
    ("nonStopTimeout", 0, "above zero"),
    ("touch_interval", 0, "above zero"),
    ("heartbeat", -1, "above zero"),
    ("renew_grace", "11s", "10s"),
    ("renew_grace", 0, "above zero"),
    ("lease", "6s", "5s"),
    ("touch_step", -1, "above zero"),
    ("lease", -1, "above zero"),
    ("lock_wait", 0, "above zero"),
    ("concurrency", 3, "power of two"),
    ("concurrency", -1, "power of two"),
    ("concurrency", 8192, "power of two"),
    ("concurrency", "many", "valid integer"),
    ("max_session_bytes", "5M", "1K to 4M"),
    ("max_session_bytes", 100, "1K to 4M"),
    ("max_session_bytes", "1.0001K", "whole number"),
    ("max_session_bytes", "256X", "128M"),
    ("max_bytes_on_heap", "-1", "greater than or equal to 0"),
    ("max_attributes", 0, "greater than 0"),
    ("late_commit", "alow", "did you mean 'allow'"),
    ("conflicts", None, "overwrite"),
    ("fsync", "never", "everysec"),
    ("save_on_error", "maybe", "true or false"),
    ("strict_values", 2, "true or false"),
    ("exclude", "static", "begin with /"),
    ("exclude", ["/"], "name something"),
    ("no_store", "account", "begin with /"),
    ("exclude", "[/static", "JSON array"),
    ("secrets", "changeme", "secret 1 is shorter than 32 bytes"),
    ("secrets", "changeme" * 4, "secret 1 looks like an example"),
    ("secrets", [SECRET, "a" * 40], "secret 2 looks like an example"),
    ("secrets", [SECRET, SECRET], "secret 2 stands in the ring twice"),
    ("secrets", lambda: 1 / 0, "ZeroDivisionError"),
    ("secrets", 5, "tuple"),
    ("secrets_file", "no/such/file", "No such file"),
    ("id_length", 11, "128 fresh bits"),  # 64 bits
    ("id_length", 22, "24 to 86"),
    ("id_length", 87, "24 to 86"),
    ("pepper", "", "shorter than 32 bytes"),
    ("pepper", "changeme", "the pepper is shorter than 32 bytes"),
    ("pepper", "changeme" * 4, "the pepper looks like an example"),
    ("pepper", lambda: 1 / 0, "ZeroDivisionError"),
    ("pepper", 5, "string"),
]

LATER: list[tuple[str, Any, str]] = [
    ("session_locking", True, "only false"),
    ("session_locking", "exclusive", "only false"),
    ("sessionLocking", "true", "only false"),
    ("synchronous_write", 1, "only false"),
    ("synchronous_write", "disk", "only false"),
    ("rejoin", False, "only true"),
    ("nonstop_behavior", "noop", "valid: exception"),
    ("nonstop_behavior", "local_reads", "valid: exception"),
    ("encryption", "aes", "only none"),
    ("anonymous_timeout", "5m", "only off"),
]


@pytest.mark.parametrize(("name", "value", "told"), REFUSED)
def test_an_unfit_value_is_refused_with_its_name_its_origin_and_what_is_valid(name: str, value: Any, told: str) -> None:
    error = refused(**{name: value})
    assert error.setting == {"nonStopTimeout": "nonstop_timeout"}.get(name, name)
    assert error.origin == "constructor"
    assert told in str(error)


@pytest.mark.parametrize(("name", "value", "told"), LATER)
def test_what_a_later_release_will_do_is_refused_rather_than_ignored(name: str, value: Any, told: str) -> None:
    error = refused(**{name: value})
    assert "not supported in this release" in str(error)
    assert told in error.hint


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sentinel://h/primary", "not in this release"),
        ("cluster://h", "not in this release"),
        ("aiocache:", "the alias is missing"),
        ("aiocache://default", "the alias is missing"),
        ("cluster.toml", "not in this release"),
        ("/lib/tc-config.xml", "not in this release"),
        ("localhost:6379", "lacks a scheme"),
        ("valky://h", "did you mean 'valkey'"),
        ("http://h", "valid: embedded"),
        ("memory:5", "nothing follows memory:"),
        ("embedded", "valid: embedded:"),
        ("embedded:a\0b", "valid: embedded:"),
        ("", "valid: embedded:"),
        ("valkey://h:99999", "port"),
        ("valkey://", "lacks a host"),
        ("valkey://h/db", "database"),
        ("unix:", "path of a socket"),
        (5, "not a int"),
    ],
)
def test_a_store_that_cannot_be_opened_is_refused_at_start(url: Any, told: str) -> None:
    error = refused(store_url=url)
    assert error.setting == "store_url"
    assert told in str(error)


class TestContradictions:
    @pytest.mark.parametrize(
        ("values", "setting"),
        [
            ({"max_inactive_interval": "25h"}, "max_inactive_interval"),
            ({"absolute_timeout": "10m"}, "max_inactive_interval"),
            ({"max_inactive_interval": "500ms"}, "touch_interval"),
            ({"renew_interval": "10s"}, "renew_interval"),
            ({"lease": "1s"}, "lease"),
            ({"touch_step": "61s"}, "touch_step"),
            ({"allow_eviction": True}, "allow_eviction"),
            ({"touch_step": "61s", "max_inactive_interval": 0}, "touch_step"),
            ({"touch_step": "31s", "max_inactive_interval": "10m"}, "touch_step"),
            ({"heartbeat": "1s"}, "lease"),
            ({"cookie": {"max_age": "25h"}}, "cookie.max_age"),
            ({"env": "production", "store_url": "memory:"}, "store_url"),
            ({"env": "production"}, "store_url"),
            ({"env": "production", "store_url": "valkeys://h?verify=none"}, "store_url"),
            ({"env": "production", "store_url": "valkeys://h?verify=none", "allow_clear_text": True}, "store_url"),
            ({"env": "production", "store_url": "valkey://h"}, "store_url"),
            ({"env": "production", "store_url": "redis://u:p@10.0.0.1:6380/0"}, "store_url"),
            ({"env": "production", "store_url": "valkey://[2001:db8::1]"}, "store_url"),
            ({"env": "production", "store_url": "valkey://localhost,elsewhere"}, "store_url"),
            ({"env": "production", "store_url": "embedded:/s", "cookie": {"insecure": True}}, "cookie.insecure"),
            ({"env": "production", "store_url": "embedded:/s", "cookie": {"httponly": False}}, "cookie.httponly"),
        ],
    )
    def test_settings_that_contradict_each_other_are_refused(self, values: dict[str, Any], setting: str) -> None:
        assert refused(**values).setting == setting

    def test_the_same_is_fine_where_nothing_contradicts(self) -> None:
        SessionSettings(max_inactive_interval="24h", lease=0, heartbeat="10s", cookie={"max_age": "24h"})

    @pytest.mark.parametrize(
        "url",
        [
            *(
                "embedded:/var/lib/shop",
                "embedded:",
                "unix:///run/valkey.sock",
                "valkeys://h",
                "rediss://h1,h2?ca=/ca.pem",
            ),
            *("valkey://localhost", "redis://127.0.0.1:6380", "valkey://[::1]", "valkey://store.localhost"),
        ],
    )
    def test_production_takes_what_stays_here_or_is_encrypted(self, url: str) -> None:
        SessionSettings(env="production", store_url=url)

    def test_production_takes_clear_text_where_that_is_accepted_by_name(self) -> None:
        SessionSettings(env="production", store_url="valkey://h", allow_clear_text=True)

    def test_production_knows_where_the_store_was_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A refusal shows no password either."""
        monkeypatch.setenv("WSGESSIONS_ENV", "production")
        assert "name the store" in str(refused())
        monkeypatch.setenv("WSGESSIONS_STORE_URL", "valkey://u:a-password@h")
        text = str(refused())
        assert "in clear text, and env is production (use valkeys://; where the network itself encrypts" in text
        assert "a-password" not in text
        monkeypatch.setenv("WSGESSIONS_STORE_URL", "embedded:")
        SessionSettings()

    def test_all_findings_are_told_at_once(self) -> None:
        text = str(refused(concurrency=3, fsync="never", cookie={"samesite": "Loose"}))
        for line in (
            "setting 'concurrency' (from constructor): expected 0, or a power of two up to 4096 (0 lets",
            "setting 'fsync' (from constructor): 'never' is not a valid value",
            "setting 'cookie.samesite' (from constructor): 'Loose' is not a valid value",
        ):
            assert line in text
        text = str(refused(env="production", store_url="memory:", cookie={"insecure": True}))
        assert "store_url" in text
        assert "cookie.insecure" in text

    def test_a_finding_about_a_default_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WSGESSIONS_ABSOLUTE_TIMEOUT", "10m")
        error = refused()
        assert (error.setting, error.origin) == ("max_inactive_interval", "default")
        assert "absolute_timeout" in str(error)


class TestSecretsFile:
    def test_the_ring_is_read_line_by_line(self, directory: Path) -> None:
        path = directory / "ring"
        path.touch(mode=0o600)
        path.write_text(f"\n{SECRET}\n\n {OTHER} \n", encoding="utf-8")
        settings = SessionSettings(secrets_file=path)
        assert settings.secrets == (SecretStr(SECRET), SecretStr(OTHER))
        assert settings.origin("secrets") == "constructor"

    @pytest.mark.parametrize(("content", "told"), [(b"", "no secret"), (b"short", "32 bytes"), (b"\xff" * 40, "UTF-8")])
    def test_a_file_without_fit_secrets_is_refused(self, directory: Path, content: bytes, told: str) -> None:
        (directory / "ring").touch(mode=0o600)
        (directory / "ring").write_bytes(content)
        error = refused(secrets_file="ring")
        assert (error.setting, told in str(error)) == ("secrets_file", True)

    @pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o620, 0o666])
    def test_a_file_that_others_can_read_or_change_is_refused(self, directory: Path, mode: int) -> None:
        """S-78; also where a link leads to it, as secrets are mounted in containers."""
        path = directory / "real"
        path.write_text(SECRET, encoding="utf-8")
        path.chmod(mode)
        (directory / "ring").symlink_to(path)
        for name in ("real", "ring"):
            error = refused(secrets_file=name)
            assert error.setting == "secrets_file"
            assert "can be read or changed by all users of this machine (chmod 600; in a container" in str(error)
            assert SECRET not in str(error)

    @pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640])
    def test_its_user_and_group_may_read_it(self, directory: Path, mode: int) -> None:
        path = directory / "ring"
        path.write_text(SECRET, encoding="utf-8")
        path.chmod(mode)
        assert SessionSettings(secrets_file=path).secrets == (SecretStr(SECRET),)

    def test_secrets_come_from_one_place(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (directory / "ring").touch(mode=0o600)
        (directory / "ring").write_text(SECRET, encoding="utf-8")
        monkeypatch.setenv("WSGESSIONS_SECRETS", OTHER)
        error = refused(secrets_file="ring")
        assert (error.setting, error.origin) == ("secrets_file", "constructor")


WITH_SECRETS: dict[str, Any] = {
    "store_url": f"valkey://{CANARY}:{CANARY}@h:1/2",
    "secrets": [SECRET + CANARY],
    "pepper": OTHER + CANARY,
}

SHOWN: dict[str, Callable[[SessionSettings], str]] = {
    "repr": repr,
    "str": str,
    "format": "{}".format,
    "model_dump": lambda settings: repr(settings.model_dump()),
    "model_dump in JSON mode": lambda settings: json.dumps(settings.model_dump(mode="json")),
    "model_dump_json": lambda settings: settings.model_dump_json(),
    "dict": lambda settings: repr(dict(settings)),
    "vars": lambda settings: repr(vars(settings)),
    "private": lambda settings: repr(settings.__pydantic_private__),
    "the table": lambda settings: repr(effective_settings(settings)),
    "a copy": lambda settings: repr(copy.deepcopy(settings)) + repr(copy.copy(settings)),
    "one field": lambda settings: (
        f"{settings.store_url} {settings.store_url!r} {settings.secrets} {settings.secrets!r} {settings.pepper!r}"
    ),
}


class TestMasking:
    @pytest.mark.parametrize("way", SHOWN)
    def test_secrets_and_credentials_are_masked_however_settings_are_shown(self, way: str) -> None:
        shown = SHOWN[way](SessionSettings(**WITH_SECRETS))
        assert CANARY not in shown
        assert SECRET not in shown
        assert OTHER not in shown

    def test_the_rest_of_the_url_is_shown(self) -> None:
        assert str(SessionSettings(**WITH_SECRETS).store_url) == "valkey://***@h:1/2"
        assert str(SessionSettings(store_url="unix://:p@/run/x.sock").store_url) == "unix://***@/run/x.sock"
        assert str(SessionSettings(store_url="embedded:/a@b").store_url) == "embedded:/a@b"

    def test_settings_are_not_pickled(self) -> None:
        settings = SessionSettings(**WITH_SECRETS)
        for thing in (settings, settings.store_url):
            with pytest.raises(TypeError, match="not pickled"):
                pickle.dumps(thing)

    def test_a_copy_opens_the_same_store(self) -> None:
        settings = SessionSettings(**WITH_SECRETS)
        assert copy.deepcopy(settings).store_url == settings.store_url
        assert hash(settings.store_url) == hash(copy.copy(settings.store_url))

    @pytest.mark.parametrize(
        "values",
        [
            {"store_url": f"valkey://{CANARY}:{CANARY}@h:{CANARY}"},
            {"store_url": f"valkey://a:{CANARY}@b@h"},
            {"store_url": f"valkey://[{CANARY}"},
            {"store_url": f"{CANARY}://x"},
            {"store_url": f"valky://a:{CANARY}@h"},
            {"store_url": [CANARY]},
            {"secrets": CANARY},
            {"pepper": CANARY},
            {"pepper": f"{OTHER}{CANARY}", "fsync": "wrong"},
            {"pepper": [CANARY]},
            {"secrets": [CANARY * 9, CANARY * 9]},
            {"secrets": f"[{CANARY}"},
            {"secrets": [[CANARY]]},
            {"secrets": {CANARY: CANARY}},
            {"secrets": f"{SECRET}{CANARY}", "fsync": "wrong"},
            {"secrets": f"{SECRET}{CANARY}", "no_such_setting": CANARY},
            {"secrets": f"{SECRET}{CANARY}", "absolute_timeout": "10m"},
        ],
    )
    def test_no_error_and_no_variable_of_its_frames_holds_a_secret(self, values: dict[str, Any]) -> None:
        error = refused(**values)
        assert CANARY not in str(error)
        assert error.__cause__ is None
        assert error.__context__ is None
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        inner = [frame for frame in report.stack if "/tests/" not in frame.filename]
        assert len(inner) >= 1
        assert CANARY not in repr([frame.locals for frame in inner])

    def test_secrets_of_the_environment_are_hidden_from_errors_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WSGESSIONS_SECRETS", CANARY)
        monkeypatch.setenv("WSGESSIONS_STORE_URL", f"valkey://:{CANARY}@")
        error = refused()
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert CANARY not in "".join(report.format())


class TestTable:
    def test_every_setting_is_described_with_its_default(self) -> None:
        described = {each.name: each for each in describe_settings()}
        assert all(each.meaning.endswith(".") for each in described.values())
        assert described["max_inactive_interval"].default == "30m"
        assert described["absolute_timeout"].default == "24h"
        assert described["max_bytes_on_heap"].group == "Near cache"
        assert described["cookie.name"].default == "__Host-sid"
        assert described["cookie.name"].variable == "WSGESSIONS_COOKIE__NAME"
        assert described["nonstop_timeout"].default == "2s"

    def test_each_setting_belongs_to_one_group(self) -> None:
        assert sorted(each.name for each in describe_settings()) == sorted(setting_names(SessionSettings))

    def test_each_default_that_is_a_value_can_be_given_as_it_is_written(self) -> None:
        for each in describe_settings():
            if each.name not in {"exclude", "secrets", "secrets_file", "pepper", "cookie.max_age", "cookie.domain"}:
                table, _, name = each.name.rpartition(".")
                SessionSettings(**({table: {name: each.default}} if table else {name: each.default}))

    def test_values_in_force_are_listed_with_their_origins(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WSGESSIONS_COOKIE__MAX_AGE", "90m")
        settings = SessionSettings(nonstop_timeout=-1, secrets=[SECRET, OTHER], exclude="/a,/b", secrets_file=None)
        shown = {each.name: (each.value, each.origin) for each in effective_settings(settings)}
        assert shown["nonstop_timeout"] == ("-1", "constructor")
        assert shown["secrets"] == ("***, ***", "constructor")
        assert shown["exclude"] == ("/a, /b", "constructor")
        assert shown["cookie.max_age"] == ("90m", "environment WSGESSIONS_COOKIE__MAX_AGE")
        assert shown["fsync"] == ("everysec", "default")
        assert list(shown) == [each.name for each in describe_settings()]
