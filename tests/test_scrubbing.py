"""What Sentry is sent: with the scrubber that is shipped, neither an id nor a watermark, wherever it stands (S-80)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
from sentry_sdk.scrubber import DEFAULT_DENYLIST, EventScrubber

from tests.asgi_driver import Browser, answering
from tests.canary import VALUE
from tests.sentry_events import Sent, sending
from wsgessions import Session, SessionManager, SessionMiddleware, SessionSettings
from wsgessions.credentials.identity import new_session_id
from wsgessions.scrubbing import FILTERED, Scrubber, names_to_hide

ID = new_session_id()


@pytest.mark.parametrize("name", ["__Host-sid", "__Host-sid-v", "__Secure-sid", "sid", "sid-v", "session_id"])
def test_the_names_complete_sentrys_own_list(name: str) -> None:
    event: Any = {"request": {"cookies": {name: ID, "theme": "dark"}}}
    EventScrubber(denylist=[*DEFAULT_DENYLIST, *names_to_hide()]).scrub_event(event)
    assert ID not in json.dumps(event, default=repr)
    assert event["request"]["cookies"]["theme"] == "dark"


PLACES: dict[str, Any] = {
    "cookies": {"cookies": {"__Host-sid": ID}},
    "of a context": {"cookies": {"__Host-sid.shop": ID, "__Host-sid.shop-v": ID}},
    "header of a context": {"headers": {"Cookie": f"a=b; __Host-sid.my--shop%2Feu={ID}; sid.shop-v={ID}"}},
    "header": {"headers": {"Cookie": f"a=b; __Host-sid={ID}; c=d"}},
    "upper case": {"headers": {"cookie": f"__HOST-SID={ID}"}},
    "scope": {"vars": {"scope": {"headers": [["b'cookie'", f"b'a=b; __Host-sid={ID}; c=d'"]]}}},
    "text": {"vars": {"request": f"<Request cookies=__Host-sid={ID}>"}},
    "set-cookie": {"vars": {"message": [(b"set-cookie", f"__Host-sid={ID}; Path=/; Secure")]}},
    "watermark": {"cookies": {"__Host-sid-v": ID}},
    "variable": {"vars": {"session_key": ID}},
    "own cookie": {"cookies": {"app": ID}},
    "own header": {"headers": {"X-Session-Id": ID}},
    "own header's watermark": {"vars": {"headers": [["b'x-session-id-watermark'", ID]]}},
    "environ": {"env": {"HTTP_X_SESSION_ID": ID, "HTTP_COOKIE": f"app={ID}"}},
    "old cookie": {"cookies": {"old": ID}},
    "old cookie in a header": {"headers": {"Cookie": f"a=b; old={ID}.signature"}},
    "old cookie of Django": {"vars": {"request": f"<Request cookies=sessionid={ID}>"}},
}


@pytest.mark.parametrize("place", PLACES)
def test_it_is_found_in_all_places(place: str) -> None:
    settings = SessionSettings(store_url="memory:", header="X-Session-Id", cookie={"name": "app", "insecure": True})
    event = Scrubber(settings, "old")({"event": [PLACES[place]], "kept": "sidecar=1"}, None)
    told = json.dumps(event, default=repr)
    assert ID not in told
    assert FILTERED in told
    assert event["kept"] == "sidecar=1"


@pytest.fixture
def sent() -> Iterator[Sent]:
    with sending() as transport:
        yield transport


@pytest.mark.filterwarnings("ignore:The send_default_pii option:DeprecationWarning")
async def test_an_event_of_a_real_error_shows_no_id_and_no_value(sent: Sent) -> None:
    """With personal data and local variables, as far as Sentry goes."""
    manager = SessionManager(store_url="memory:")

    def handle(session: Session) -> None:
        session["secret"] = [VALUE]
        session["unfit"] = object()

    browser = Browser()
    await browser.request(SessionMiddleware(answering(lambda session: session.update(secret=VALUE)), manager=manager))
    app = SentryAsgiMiddleware(SessionMiddleware(answering(handle), manager=manager))
    for visitor in (browser, Browser()):
        with pytest.raises(Exception, match="unfit"):
            await visitor.request(app)
    assert any('"vars"' in envelope for envelope in sent.envelopes)
    assert any(FILTERED in envelope for envelope in sent.envelopes)
    for envelope in sent.envelopes:
        for secret in (VALUE, *browser.cookies.values()):
            assert secret not in envelope
