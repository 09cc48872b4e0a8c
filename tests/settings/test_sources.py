"""Where settings come from, which source wins, and what is said about names (R-07, R-08)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from wsgessions.errors import ConfigError
from wsgessions.settings import CookieSettings, SessionSettings
from wsgessions.settings.sources import EnvironmentSource


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def refused(**values: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        SessionSettings(**values)
    return caught.value


class TestOrder:
    def test_constructor_beats_environment_beats_file_beats_default(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(directory / "wsgessions.toml", 'namespace = "file"\nadapter = "file"\nfsync = "always"')
        monkeypatch.setenv("WSGESSIONS_NAMESPACE", "environment")
        monkeypatch.setenv("WSGESSIONS_ADAPTER", "environment")
        settings = SessionSettings(namespace="constructor")
        assert (settings.namespace, settings.adapter, settings.fsync, settings.env) == (
            "constructor",
            "environment",
            "always",
            "development",
        )
        assert settings.origin("namespace") == "constructor"
        assert settings.origin("adapter") == "environment WSGESSIONS_ADAPTER"
        assert settings.origin("fsync") == "wsgessions.toml"
        assert settings.origin("env") == "default"

    def test_tables_are_merged_setting_by_setting(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(
            directory / "pyproject.toml", '[tool.wsgessions.cookie]\nname = "id"\npath = "/shop"\nsamesite = "strict"'
        )
        monkeypatch.setenv("WSGESSIONS_COOKIE__PATH", "/cart")
        settings = SessionSettings(cookie={"samesite": "none"})
        assert (settings.cookie.name, settings.cookie.path, settings.cookie.samesite) == ("id", "/cart", "none")
        assert settings.origin("cookie.name") == "pyproject.toml [tool.wsgessions]"
        assert settings.origin("cookie.path") == "environment WSGESSIONS_COOKIE__PATH"
        assert settings.origin("cookie.samesite") == "constructor"
        assert settings.origin("cookie.secure") == "default"

    def test_cookie_settings_may_be_given_as_an_object_of_which_only_what_was_set_counts(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WSGESSIONS_COOKIE__SAMESITE", "strict")
        settings = SessionSettings(cookie=CookieSettings(name="id"))
        assert (settings.cookie.name, settings.cookie.samesite) == ("id", "strict")

    def test_a_pyproject_without_our_table_is_no_source(self, directory: Path) -> None:
        write(directory / "pyproject.toml", '[project]\nname = "shop"\n[tool.other]\nx = 1')
        assert SessionSettings().origin("adapter") == "default"

    def test_both_files_together_must_not_repeat_a_setting(self, directory: Path) -> None:
        write(directory / "wsgessions.toml", 'adapter = "fastapi"')
        write(directory / "pyproject.toml", '[tool.wsgessions]\nadapter = "fastapi"\nnamespace = "shop"')
        error = refused()
        assert (error.setting, error.origin) == ("adapter", "pyproject.toml [tool.wsgessions]")
        assert "also in wsgessions.toml" in str(error)

    @pytest.mark.parametrize("text", ["adapter = ", "\xff".encode("latin-1")])
    def test_a_file_that_is_no_toml_is_named(self, directory: Path, text: str | bytes) -> None:
        (directory / "wsgessions.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
        assert "'wsgessions.toml': the file cannot be read" in str(refused())

    def test_a_directory_in_place_of_the_file_is_named(self, directory: Path) -> None:
        (directory / "wsgessions.toml").mkdir()
        assert "'wsgessions.toml': the file cannot be read" in str(refused())

    @pytest.mark.parametrize("text", ["tool = 5", "[tool]\nwsgessions = 5", "[[tool.wsgessions]]\nadapter = 'x'"])
    def test_our_place_in_pyproject_is_a_table(self, directory: Path, text: str) -> None:
        write(directory / "pyproject.toml", text)
        assert "[tool.wsgessions]" in refused().hint


class TestEnvironment:
    @pytest.mark.parametrize(
        ("variable", "text", "name", "value"),
        [
            ("WSGESSIONS_MAX_BYTES_ON_HEAP", "4G", "max_bytes_on_heap", 4 * 2**30),
            ("WSGESSIONS_MAXBYTESONHEAP", "128M", "max_bytes_on_heap", 128 * 2**20),
            ("WSGESSIONS_maxBytesOnHeap", " 128 MB ", "max_bytes_on_heap", 128 * 2**20),
            ("WSGESSIONS_SESSION_LOCKING", "False", "session_locking", False),
            ("WSGESSIONS_SAVE_ON_ERROR", "False", "save_on_error", False),
            ("WSGESSIONS_SAVE_ON_ERROR", " TRUE ", "save_on_error", True),
            ("WSGESSIONS_STRICT_VALUES", "1", "strict_values", True),
            ("WSGESSIONS_NONSTOP_TIMEOUT", "-1", "nonstop_timeout", None),
            ("WSGESSIONS_NONSTOPTIMEOUT", "30000", "nonstop_timeout", timedelta(seconds=30)),
            ("WSGESSIONS_SESSION_TIMEOUT", "45", "max_inactive_interval", timedelta(minutes=45)),
            ("WSGESSIONS_SESSIONTIMEOUT", "45", "max_inactive_interval", timedelta(minutes=45)),
            ("WSGESSIONS_FILTER_CLASS", "FastAPIAdapter", "adapter", "FastAPIAdapter"),
            ("WSGESSIONS_EXCLUDE", "/static, /health", "exclude", ("/static", "/health")),
            ("WSGESSIONS_EXCLUDE", '["/static"]', "exclude", ("/static",)),
            ("WSGESSIONS_CONCURRENCY", " 64 ", "concurrency", 64),
            ("wsgessions_namespace", "shop", "namespace", "shop"),
        ],
    )
    def test_text_is_read_as_the_setting_means_it(
        self, variable: str, text: str, name: str, value: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, text)
        settings = SessionSettings()
        assert getattr(settings, name) == value
        assert settings.origin(name) == f"environment {variable}"

    @pytest.mark.parametrize("text", ["", "   "])
    def test_a_blank_variable_is_not_set(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WSGESSIONS_NAMESPACE", text)
        monkeypatch.setenv("WSGESSIONS_NO_SUCH_SETTING", text)
        assert SessionSettings().namespace == "wsg"

    def test_one_setting_in_two_spellings_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WSGESSIONS_STORE_URL", "memory:")
        monkeypatch.setenv("WSGESSIONS_TCCONFIGURL", "localhost:9510")
        error = refused()
        assert error.setting == "store_url"
        assert "given twice" in str(error)

    def test_the_same_variable_in_two_cases_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WSGESSIONS_NAMESPACE", "a")
        monkeypatch.setenv("wsgessions_namespace", "b")
        assert "also in environment" in str(refused())

    @pytest.mark.parametrize(
        ("variable", "text"),
        [
            ("WSGESSIONS_SERVICE_HOST", "10.0.0.1"),
            ("WSGESSIONS_SERVICE_PORT", "9510"),
            ("WSGESSIONS_SERVICE_PORT_VALKEY", "9510"),
            ("WSGESSIONS_PORT", "tcp://10.0.0.1:9510"),
            ("WSGESSIONS_PORT_9510_TCP", "tcp://10.0.0.1:9510"),
            ("WSGESSIONS_PORT_9510_TCP_ADDR", "10.0.0.1"),
            ("WSGESSIONS_STORE_SERVICE_HOST", "10.0.0.1"),
            ("WSGESSIONS_STORE_PORT", "tcp://10.0.0.1:9510"),
        ],
    )
    def test_what_kubernetes_sets_for_a_service_of_that_name_is_no_setting(
        self, variable: str, text: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, text)
        SessionSettings()

    def test_a_port_of_ones_own_invention_is_an_unknown_setting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WSGESSIONS_PORT", "9510")
        assert refused().setting == "port"

    @pytest.mark.parametrize(
        "variable", ["WSGESIONS_STORE_URL", "WSSESSIONS_COOKIE__NAME", "wsgession_env", "WSGSESSIONS_ENV"]
    )
    def test_a_misspelt_prefix_is_an_error_with_the_right_name(
        self, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It would be without effect, and nothing else would say so."""
        monkeypatch.setenv(variable, "memory:")
        error = refused()
        assert error.origin == f"environment {variable}"
        assert error.hint == f"write WSGESSIONS_{variable.upper().partition('_')[2]}"

    @pytest.mark.parametrize("variable", ["SESSIONS_ENV", "WEBSESSIONS_ENV", "WSGESIONS_OTHER", "ENV"])
    def test_variables_of_others_are_left_alone(self, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(variable, "x")
        assert SessionSettings().env == "development"

    def test_a_misspelt_table_is_an_error(self, directory: Path) -> None:
        write(directory / "pyproject.toml", '[tool.wsgesions]\nnamespace = "shop"')
        assert refused().hint == "write [tool.wsgessions]"

    def test_a_name_in_upper_case_is_an_error_with_the_right_one(self, directory: Path) -> None:
        write(directory / "wsgessions.toml", 'STORE_URL = "memory:"')
        assert "did you mean 'store_url'?" in (refused().hint or "")

    def test_seconds_where_milliseconds_were_meant_are_an_error(self) -> None:
        error = refused(nonstop_timeout=2000)
        assert error.setting == "nonstop_timeout"
        assert "2000ms" in (error.hint or "")

    def test_a_single_field_can_be_asked_for_as_of_any_source(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WSGESSIONS_NAMESPACE", "shop")
        source = EnvironmentSource(SessionSettings)
        value, name, is_complex = source.get_field_value(SessionSettings.model_fields["namespace"], "namespace")
        assert (value.value, name, is_complex) == ("shop", "namespace", False)
        assert repr(value) == "<from environment WSGESSIONS_NAMESPACE>"


class TestNames:
    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("store_ur", "'store_url'"),
            ("storeUrl", "'store_url'"),
            ("sessionLockin", "'sessionLocking'"),
            ("cookie_name", "'cookie.name'"),
            ("max_inactive_intervall", "'max_inactive_interval'"),
        ],
    )
    def test_an_unknown_name_is_an_error_with_the_nearest_known_ones(self, name: str, meant: str) -> None:
        error = refused(**{name: 1})
        assert (error.setting, error.origin) == (name, "constructor")
        assert meant in error.hint

    def test_unknown_names_are_found_in_every_source(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WSGESSIONS_COOKIE__SAME_SITE", "lax")
        error = refused()
        assert (error.setting, error.origin) == ("cookie.same_site", "environment WSGESSIONS_COOKIE__SAME_SITE")
        monkeypatch.delenv("WSGESSIONS_COOKIE__SAME_SITE")
        write(directory / "wsgessions.toml", "[coockie]\nname = 'x'")
        assert refused().origin == "wsgessions.toml"

    @pytest.mark.parametrize(
        ("name", "value", "ours", "expected"),
        [
            ("filter-class", "fastapi", "adapter", "fastapi"),
            ("filterClass", "fastapi", "adapter", "fastapi"),
            ("sessionLocking", False, "session_locking", False),
            ("synchronousWrite", "false", "synchronous_write", False),
            ("maxBytesOnHeap", "64M", "max_bytes_on_heap", 64 * 2**20),
            ("maxBytesOffHeap", 0, "max_bytes_off_heap", 0),
            ("nonStopTimeout", 30000, "nonstop_timeout", timedelta(seconds=30)),
            ("nonStopTimeout", "30000", "nonstop_timeout", timedelta(seconds=30)),
            ("nonStopTimeout", "5s", "nonstop_timeout", timedelta(seconds=5)),
            ("nonStopTimeout", -1, "nonstop_timeout", None),
            ("nonstop_timeout", 30, "nonstop_timeout", timedelta(seconds=30)),
            ("rejoin", True, "rejoin", True),
            ("concurrency", 16, "concurrency", 16),
            ("session-timeout", 30, "max_inactive_interval", timedelta(minutes=30)),
            ("sessionTimeout", "2h", "max_inactive_interval", timedelta(hours=2)),
            ("sessionTimeout", -1, "max_inactive_interval", timedelta(0)),
            ("sessionTimeout", 0, "max_inactive_interval", timedelta(0)),
        ],
    )
    def test_the_guides_names_are_known_and_keep_the_guides_units(
        self, name: str, value: Any, ours: str, expected: Any
    ) -> None:
        settings = SessionSettings(**{name: value})
        assert getattr(settings, ours) == expected
        assert settings.origin(name) == settings.origin(ours) == "constructor"

    @pytest.mark.parametrize(
        ("value", "url"),
        [
            ("localhost:9510", "valkey://localhost:9510"),
            ("a:9510, b:9510".replace(" ", ""), "valkey://a:9510,b:9510"),
            ("[::1]:9510", "valkey://[::1]:9510"),
            ("redis://h", "redis://h"),
        ],
    )
    def test_the_guides_addresses_become_a_url(self, value: str, url: str) -> None:
        assert SessionSettings(tcConfigUrl=value).store_url.get_secret_value() == url

    def test_a_tables_guide_name_is_no_name_inside_a_table(self) -> None:
        assert refused(cookie={"sessionLocking": False}).setting == "cookie.sessionLocking"

    def test_both_names_of_one_setting_in_one_source_are_an_error(self) -> None:
        error = refused(sessionLocking=False, session_locking=False)
        assert "also as 'sessionLocking'" in str(error)

    @pytest.mark.parametrize("value", [5, "lax", None, [{"name": "x"}]])
    def test_a_table_is_no_value(self, value: Any) -> None:
        error = refused(cookie=value)
        assert (error.setting, error.hint) == ("cookie", "give its settings one by one, such as cookie.insecure")

    def test_several_wrong_names_are_told_at_once(self) -> None:
        text = str(refused(one=1, two=2, namespace="fine"))
        assert "'one'" in text
        assert "'two'" in text


class TestLoad:
    def test_replaced_settings_go_above_those_of_the_base_which_keep_their_origin(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WSGESSIONS_NAMESPACE", "shop")
        base = SessionSettings(cookie={"insecure": True}, adapter="fastapi")
        monkeypatch.delenv("WSGESSIONS_NAMESPACE")
        settings = SessionSettings.load(base, {"adapter": "starlette", "cookie": {"samesite": "strict"}})
        assert (settings.adapter, settings.namespace) == ("starlette", "shop")
        assert (settings.cookie.name, settings.cookie.samesite) == ("sid", "strict")
        assert settings.origin("namespace") == "environment WSGESSIONS_NAMESPACE"

    def test_without_a_base_it_is_the_constructor(self) -> None:
        assert SessionSettings.load(None, {"nonStopTimeout": 1500}).nonstop_seconds == 1.5

    def test_a_name_of_the_guide_replaces_the_same_setting(self) -> None:
        base = SessionSettings(nonstop_timeout="1s")
        assert SessionSettings.load(base, {"nonStopTimeout": 1500}).nonstop_seconds == 1.5

    def test_a_copy_is_checked_as_a_whole(self) -> None:
        base = SessionSettings(max_inactive_interval="1h")
        assert base.model_copy(update={"adapter": "fastapi"}).adapter == "fastapi"
        with pytest.raises(ConfigError, match="max_inactive_interval"):
            base.model_copy(update={"absolute_timeout": "30m"})
