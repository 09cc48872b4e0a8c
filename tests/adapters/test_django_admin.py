"""Live sessions in Django's admin, and the page "your devices" (S-55, S-98, S-104)."""

from __future__ import annotations

import asyncio
import io
import logging
import re
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, connections
from django.test import AsyncClient, Client, override_settings
from django.test.utils import CaptureQueriesContext

from tests.adapters.django_stores import shared_server
from tests.stores.valkey.raw_server import RawServer
from wsgessions.errors import AmbiguousRef, ConfigError
from wsgessions_django.configuration import current_manager
from wsgessions_django.devices import adevices_of, aend_device, aend_devices, devices_of, end_device, end_devices

__all__ = ["shared_server"]

PAGE = "/admin/wsgessions_django/livesession/"
MIDDLEWARE = [
    "wsgessions_django.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]


@pytest.fixture(scope="module", autouse=True)
def database() -> Iterator[None]:
    call_command("migrate", verbosity=0)
    yield
    connections.close_all()


@pytest.fixture(autouse=True, params=["memory", "valkey"])
def site(request: pytest.FixtureRequest, shared_server: RawServer) -> Iterator[None]:
    store = "memory:" if request.param == "memory" else shared_server.url
    with override_settings(
        ROOT_URLCONF="tests.adapters.django_devices",
        MIDDLEWARE=MIDDLEWARE,
        WSGESSIONS={"store_url": store, "namespace": f"t{secrets.token_hex(4)}", "heartbeat": "100ms"},
    ):
        yield
        asyncio.run(current_manager().close())


def user(name: str, *permissions: str, **more: Any) -> Any:
    """A user whose name begins like this, with these permissions for live sessions."""
    from django.contrib.auth.models import Permission

    users: Any = get_user_model().objects
    made = users.create_user(f"{name}{secrets.token_hex(4)}", password="pw", **more)
    codenames = [f"{permission}_livesession" for permission in permissions]
    made.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return made


def staff(*permissions: str) -> Any:
    return user("boss", *permissions, is_staff=True)


def logged_in(who: Any, agent: str = "a browser") -> Client:
    """A browser of that user."""
    client = Client(enforce_csrf_checks=True, headers={"user-agent": agent})
    assert client.get(f"/enter/{who.username}/").status_code == 200
    return client


def posted(client: Client, url: str, *, to: str = "", **form: str) -> Any:
    """The answer to a form of that page, as a browser sends it; somebody may have changed where ``to``."""
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(url).text)
    assert token is not None
    return client.post(to or url, {**form, "csrfmiddlewaretoken": token[1]})


def of(client: Client) -> str:
    return client.get("/mine/").text


def refs(who: Any) -> set[str]:
    return {device.ref for device in devices_of(who)}


# -- the admin ---------------------------------------------------------------------------------------------------------


def test_staff_see_their_own_sessions_without_any_permission() -> None:
    boss = staff()
    client, phone = logged_in(boss, "desk"), logged_in(boss, "phone")
    page = client.get(PAGE).text
    assert all(ref in page for ref in refs(boss))
    assert page.count("this one") == 1
    assert "desk" in page
    assert "phone" in page
    assert 'name="user"' not in page
    for browser in (client, phone):
        assert browser.cookies["__Host-sid"].value not in page
    assert PAGE in client.get("/admin/").text


def test_log_out_all_other_devices_leaves_the_one_that_asks() -> None:
    boss, ann = staff(), user("ann")
    desk, phone, others = logged_in(boss), logged_in(boss), logged_in(ann)
    answer = posted(desk, PAGE, all="yes")
    assert (answer.status_code, answer.headers["location"]) == (302, PAGE)
    assert "1 session was ended." in desk.get(PAGE).text
    assert [of(desk), of(phone), of(others)] == [str(boss.pk), "nobody", str(ann.pk)]


def test_one_session_is_ended_by_its_ref() -> None:
    boss = staff()
    desk, phone, tablet = (logged_in(boss) for _ in range(3))
    ref = current_ref(boss, phone)
    posted(desk, PAGE, ref=ref)
    assert [of(desk), of(phone), of(tablet)] == [str(boss.pk), "nobody", str(boss.pk)]
    posted(desk, PAGE, ref=ref)
    assert "0 sessions were ended." in desk.get(PAGE).text


def current_ref(who: Any, client: Client) -> str:
    """The ref of the session that this browser has."""
    key = current_manager().requests.repository.identity.key(client.cookies["__Host-sid"].value)
    assert key.ref in refs(who)
    return key.ref


def test_others_sessions_need_permissions_to_be_seen_and_ended(caplog: pytest.LogCaptureFixture) -> None:
    ann = user("ann")
    phone = logged_in(ann, "ann's phone")
    ref = current_ref(ann, phone)
    page = f"{PAGE}?user={ann.username}"
    with caplog.at_level(logging.INFO, "wsgessions.audit"):
        nosy = logged_in(staff())
        assert nosy.get(page).status_code == 403
        viewer = logged_in(staff("view"))
        shown = viewer.get(page).text
        assert ref in shown
        assert "ann&#x27;s phone" in shown
        assert 'name="ref"' not in shown
        assert posted(viewer, page, ref=ref).status_code == 403
        assert of(phone) == str(ann.pk)
        boss = staff("view", "delete")
        desk = logged_in(boss)
        assert posted(desk, page, ref=ref).status_code == 302
        assert of(phone) == "nobody"
    lines = [record.getMessage() for record in caplog.records if record.name == "wsgessions.audit"]
    assert any("may not view" in line and ann.username in line for line in lines)
    assert any("may not delete" in line for line in lines)
    assert any(f"{boss.username!r} ended 1 sessions of {ann.username!r}" in line for line in lines)
    assert any(ref in line for line in lines)
    assert history_of(ann) == ["1 session was ended."]


def history_of(who: Any) -> list[str]:
    """What the admin tells of a user."""
    from django.contrib.admin.models import LogEntry

    return [entry.change_message for entry in LogEntry.objects.filter(object_id=str(who.pk))]


def test_all_sessions_of_another_user_are_ended_and_none_of_ones_own() -> None:
    ann, boss = user("ann"), staff("view", "delete")
    phones, desk = [logged_in(ann) for _ in range(3)], logged_in(boss)
    posted(desk, f"{PAGE}?user={ann.username}", all="yes")
    assert [of(phone) for phone in phones] == ["nobody"] * 3
    assert of(desk) == str(boss.pk)
    assert "has no live sessions" in desk.get(f"{PAGE}?user={ann.username}").text
    assert "There is no user" in desk.get(f"{PAGE}?user=nobody-at-all").text
    assert desk.post(f"{PAGE}?user=nobody-at-all").status_code == 403  # without a token


# -- the admin: everybody's --------------------------------------------------------------------------------------------


def visiting(principal: str | None = None) -> Client:
    """A browser whose session is nobody's, or of a principal that is no user of this project."""
    client = Client(enforce_csrf_checks=True)
    client.get("/shop/", {} if principal is None else {"as": principal})
    return client


def ref_of(client: Client) -> str:
    """The ref of the session that this browser has, whoever's it is."""
    ref: str = current_manager().requests.repository.identity.key(client.cookies["__Host-sid"].value).ref
    return ref


def refs_on(page: str) -> list[str]:
    return re.findall("<code>([0-9a-f]{12})</code>", page)


def line_of(page: str, client: Client) -> str:
    """The line of the table about this browser's session."""
    [line] = [line for line in page.split("<tr>") if f"<code>{ref_of(client)}</code>" in line]
    return line


def test_who_may_view_sees_the_sessions_of_everybody() -> None:
    """E-8: each under its user's name, which leads to the sessions of that user alone."""
    ann, viewer = user("ann"), staff("view")
    phone, tablet = logged_in(ann, "ann's phone"), logged_in(ann)
    visitor, strangers, unknown = visiting(), [visiting("eve@<script>"), visiting("9" * 40)], visiting("987654")
    desk = logged_in(viewer, "desk")
    page = desk.get(PAGE).text
    everybody = [phone, tablet, visitor, *strangers, unknown, desk]
    assert sorted(refs_on(page)) == sorted(map(ref_of, everybody))
    assert not any(client.cookies["__Host-sid"].value in page for client in everybody)
    assert f'<a href="?user={ann.username}">{ann.username}</a>' in line_of(page, phone)
    assert "ann&#x27;s phone" in line_of(page, phone)
    assert "anonymous" in line_of(page, visitor)
    assert "a visitor" in line_of(page, visitor)
    for name, stranger in zip(("eve@&lt;script&gt;", "9" * 40), strangers, strict=True):
        assert name in line_of(page, stranger)
    assert "987654" in line_of(page, unknown)
    assert "this one" in line_of(page, desk)
    assert "7 live sessions" in page
    only = desk.get(f"{PAGE}?user={ann.username}").text
    assert sorted(refs_on(only)) == sorted([ref_of(phone), ref_of(tablet)])


def test_who_may_not_view_sees_no_page_of_everybody() -> None:
    """Default deny: not by a cursor either."""
    who = user("ann")
    ann = logged_in(who)
    for boss in (staff(), staff("delete")):
        desk, phone = logged_in(boss), logged_in(boss)
        for url in (PAGE, f"{PAGE}?after=", f"{PAGE}?after={'A' * 24}", f"{PAGE}?user="):
            assert sorted(refs_on(desk.get(url).text)) == sorted(map(ref_of, (desk, phone)))
        for other in (ann, visiting()):
            assert posted(desk, PAGE, ref=ref_of(other)).status_code == 302
            assert "0 sessions were ended." in desk.get(PAGE).text
            assert alive(other)
        assert posted(desk, PAGE, to=f"{PAGE}?user={who.username}", ref=ref_of(ann)).status_code == 403
        assert alive(ann)


def alive(client: Client) -> bool:
    return asyncio.run(current_manager().live_session(ref_of(client))) is not None


def test_the_pages_show_each_session_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the one of who turns the pages, which is used meanwhile."""
    monkeypatch.setattr(admin.ModelAdmin, "list_per_page", 3)
    desk = logged_in(staff("view"))
    others = [*(visiting() for _ in range(4)), *(logged_in(user("ann")) for _ in range(5))]
    seen, url = [], PAGE
    while url:
        page = desk.get(url).text
        assert f"{len(refs_on(page))} of 10 live sessions" in page
        assert ("First page" in page) == (url != PAGE)
        assert 1 <= len(refs_on(page)) <= 3
        seen += refs_on(page)
        following = re.search(r'<a href="(\?after=[^"]+)" rel="next">', page)
        url = PAGE + following[1] if following else ""
    assert sorted(ref for ref in seen if ref != ref_of(desk)) == sorted(map(ref_of, others))
    assert ref_of(desk) in seen


@pytest.mark.parametrize("cursor", ["made-up", "", "A" * 23, "%00", "é"])
def test_a_page_that_there_is_none_of_leads_back_to_the_first(cursor: str) -> None:
    desk = logged_in(staff("view"))
    answer = desk.get(f"{PAGE}?after={cursor}")
    assert (answer.status_code, answer.headers["location"]) == (302, PAGE)
    assert "The list begins again." in desk.get(PAGE).text


def test_a_page_asks_the_database_once_for_all_its_users() -> None:
    desk = logged_in(staff("view"))
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as asked:
            desk.get(PAGE)
        counts.append(len(asked))
        for _ in range(3):
            logged_in(user("ann"))
    assert counts[0] == counts[1]


def test_sessions_of_everybody_are_ended_by_who_may(caplog: pytest.LogCaptureFixture) -> None:
    """S-104: those of users, of nobody and of strangers; and who may not is refused, and put down."""
    ann, boss, viewer = user("ann"), staff("view", "delete"), staff("view")
    phone, visitor, stranger = logged_in(ann), visiting(), visiting("eve")
    watching, own = logged_in(viewer), logged_in(viewer)
    with caplog.at_level(logging.INFO, "wsgessions.audit"):
        page = watching.get(PAGE).text
        for other in (phone, visitor, stranger):
            assert 'name="ref"' not in line_of(page, other)
            assert posted(watching, PAGE, ref=ref_of(other)).status_code == 403
            assert alive(other)
        assert 'name="ref"' in line_of(page, own)
        posted(watching, PAGE, ref=ref_of(own))
        assert not alive(own)
        desk = logged_in(boss)
        page = desk.get(PAGE).text
        for other in (phone, visitor, stranger):
            assert 'name="ref"' in line_of(page, other)
            answer = posted(desk, f"{PAGE}?after={'A' * 24}", ref=ref_of(other))
            assert answer.headers["location"] == f"{PAGE}?after={'A' * 24}"
            assert "1 session was ended." in desk.get(PAGE).text
            assert not alive(other)
        posted(desk, PAGE, ref=ref_of(phone))
        assert "0 sessions were ended." in desk.get(PAGE).text
    assert of(phone) == "nobody"
    assert history_of(ann) == ["1 session was ended."]
    lines = [record.getMessage() for record in caplog.records if record.name == "wsgessions.audit"]
    for whose in (repr(ann.username), "no user", "'eve'"):
        assert any(f"{viewer.username!r} may not delete the sessions of {whose}" in line for line in lines)
        assert any(f"{boss.username!r} ended 1 sessions of {whose}" in line for line in lines)
    assert any(f"{viewer.username!r} may view the sessions of all users" in line for line in lines)


def test_all_but_the_own_session_are_the_own_ones_on_the_page_of_everybody_too() -> None:
    """There is no button there that ends them all, and a form that asks for it ends no other user's."""
    boss = staff("view", "delete")
    desk, phone, ann, visitor = logged_in(boss), logged_in(boss), logged_in(user("ann")), visiting()
    assert 'name="all"' not in desk.get(PAGE).text
    posted(desk, PAGE, all="yes")
    assert [alive(each) for each in (desk, phone, ann, visitor)] == [True, False, True, True]


def test_a_ref_of_several_sessions_is_told_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """S-80."""
    desk = logged_in(staff("view", "delete"))

    async def refuse(*_: Any, **__: Any) -> None:
        raise AmbiguousRef("several sessions have this ref")

    monkeypatch.setattr(type(current_manager()), "live_session", refuse)
    posted(desk, PAGE, ref="0123456789ab")
    assert "everal sessions have this ref" in desk.get(PAGE).text


def test_nothing_is_ended_without_a_csrf_token_or_by_get() -> None:
    boss = staff()
    desk, phone = logged_in(boss), logged_in(boss)
    assert desk.post(PAGE, {"all": "yes"}).status_code == 403
    assert desk.get(f"{PAGE}?all=yes&ref={current_ref(boss, phone)}").status_code == 200
    assert of(phone) == str(boss.pk)


def test_whoever_is_no_staff_is_sent_to_the_login() -> None:
    ann = user("ann", "view", "delete")
    for client in (logged_in(ann), Client()):
        for answer in (client.get(PAGE), client.get("/admin/")):
            assert answer.status_code == 302
            assert "/admin/login/" in answer.headers["location"]


def test_there_is_no_other_page_of_the_model() -> None:
    boss = user("root", is_staff=True, is_superuser=True)
    desk = logged_in(boss)
    for rest in ("add/", "0123456789ab/change/", "0123456789ab/delete/", "0123456789ab/history/"):
        assert desk.get(PAGE + rest).status_code == 404


def test_what_a_device_calls_itself_cannot_break_the_page() -> None:
    """S-98."""
    boss = staff()
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    desk = logged_in(boss, evil)
    for url in (PAGE, "/devices/"):
        page = desk.get(url).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert" in page


def test_a_store_that_cannot_find_sessions_is_told_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    boss = staff()
    desk = logged_in(boss)

    async def refuse(*_: Any, **__: Any) -> None:
        raise ConfigError("this store cannot find sessions by their principal", setting="store_url")

    for method in ("sessions_of", "live_sessions"):
        monkeypatch.setattr(type(current_manager()), method, refuse)
    for client in (desk, logged_in(staff("view"))):
        answer = client.get(PAGE)
        assert answer.status_code == 200
        assert "cannot find sessions by their principal" in answer.text


def test_the_model_has_no_table_and_its_migration_is_complete() -> None:
    assert "wsgessions_django_livesession" not in connection.introspection.table_names()
    call_command("makemigrations", "wsgessions_django", check=True, dry_run=True, stdout=io.StringIO())


# -- your devices ------------------------------------------------------------------------------------------------------


def test_a_user_sees_and_ends_the_own_devices_and_no_others() -> None:
    ann, bob = user("ann"), user("bob")
    desk, phone, tablet, others = (
        logged_in(who, agent) for who, agent in ((ann, "desk"), (ann, "phone"), (ann, "tablet"), (bob, "bob's"))
    )
    page = desk.get("/devices/").text
    assert [name in page for name in ("desk", "phone", "tablet", "bob")] == [True, True, True, False]
    assert page.count("this device") == 1
    assert posted(desk, "/devices/", ref=current_ref(bob, others)).status_code == 302
    assert "logged out already" in desk.get("/devices/").text
    posted(desk, "/devices/", ref=current_ref(ann, phone))
    assert "The device is logged out." in desk.get("/devices/").text
    posted(desk, "/devices/", others="yes")
    assert "1 other device is logged out." in desk.get("/devices/").text
    assert [of(each) for each in (desk, phone, tablet, others)] == [str(ann.pk), "nobody", "nobody", str(bob.pk)]
    assert desk.post("/devices/", {"others": "yes"}).status_code == 403


def test_the_page_asks_for_a_login() -> None:
    assert Client().get("/devices/").headers["location"].startswith("/login?next=")


def test_the_functions_have_async_twins() -> None:
    ann = user("ann")
    clients = [logged_in(ann) for _ in range(3)]

    async def use() -> None:
        devices = await adevices_of(ann)
        assert len(devices) == 3
        assert await aend_device(ann, devices[0].ref)
        assert not await aend_device(ann, devices[0].ref)
        assert await aend_devices(ann) == 2

    asyncio.run(use())
    assert [of(client) for client in clients] == ["nobody"] * 3
    assert devices_of(ann) == []
    assert not end_device(ann, "0123456789ab")
    assert end_devices(ann) == 0


@pytest.mark.parametrize("permissions", [(), ("view",)])
def test_the_admin_works_over_asgi(permissions: tuple[str, ...]) -> None:
    boss = staff(*permissions)
    phone = logged_in(boss)

    async def use() -> None:
        client = AsyncClient()
        await client.get(f"/enter/{boss.username}/")
        page = await client.get(PAGE)
        assert page.content.decode().count("<code>") == 2
        assert (await client.post(PAGE, {"all": "yes"})).status_code == 302
        assert (await client.get("/mine/")).content.decode() == str(boss.pk)

    asyncio.run(use())
    assert of(phone) == "nobody"
