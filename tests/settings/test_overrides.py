"""Editors and type checkers are told of the settings as they are (see tests/typing/overrides.py for what they say)."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

import pytest

from tests.settings.overrides_module import MODULE, module
from wsgessions import SessionManager, SessionMiddleware, SessionSettings, install
from wsgessions.settings import CookieOverrides, CookieSettings, SettingOverrides
from wsgessions.settings.names import GUIDE_NAMES
from wsgessions_django import DjangoAdapter
from wsgessions_django.asgi import wrap
from wsgessions_fastapi import FastAPIAdapter
from wsgessions_litestar import LitestarAdapter
from wsgessions_quart import QuartAdapter, WsgessionsSessionInterface
from wsgessions_starlette import StarletteAdapter
from wsgessions_starlette.compat import SessionMiddleware as CompatMiddleware


def test_names_types_and_meanings_are_those_of_the_settings() -> None:
    """If this fails: ``python -m tests.settings.overrides_module``."""
    assert MODULE.read_text() == module()


def test_every_name_that_a_constructor_takes_is_offered_and_no_other() -> None:
    guide = {name for name in GUIDE_NAMES if name.isidentifier()}
    assert set(get_type_hints(SettingOverrides)) == set(SessionSettings.model_fields) | guide
    assert set(get_type_hints(CookieOverrides)) == set(CookieSettings.model_fields)


PUBLIC: list[Any] = [
    SessionSettings,
    SessionManager,
    SessionMiddleware,
    install,
    StarletteAdapter,
    CompatMiddleware,
    FastAPIAdapter,
    LitestarAdapter,
    QuartAdapter,
    WsgessionsSessionInterface,
    DjangoAdapter,
    wrap,
]


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: f"{public.__module__}.{public.__name__}")
def test_whatever_takes_settings_by_name_offers_them_all_and_none_of_its_own_arguments_hides_one(public: Any) -> None:
    called = vars(public).get("__init__", public)
    parameters = inspect.signature(called).parameters.values()
    taken = [each for each in parameters if each.kind is inspect.Parameter.VAR_KEYWORD]
    assert [each.annotation for each in taken] == ["Unpack[SettingOverrides]"]
    named = {each.name for each in parameters if each.kind is not inspect.Parameter.POSITIONAL_ONLY}
    assert named & set(get_type_hints(SettingOverrides)) == set()
