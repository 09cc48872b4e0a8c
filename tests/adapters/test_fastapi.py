"""The adapter suite over FastAPI, and what is FastAPI's own."""

import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, WebSocket
from fastapi.exceptions import ResponseValidationError
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel, computed_field

from tests.adapters.diagnoses import DiagnosisCases
from tests.adapters.every_store import OnValkey, shared_server
from tests.adapters.fastapi_app import make_app
from wsgessions import Session, SessionManager
from wsgessions.errors import CodecError, ConfigError, SessionClosed
from wsgessions.testing.adapters.middleware import Layer
from wsgessions.testing.adapters.suite import AdapterSuite
from wsgessions.testing.adapters.watched_store import WatchedStore
from wsgessions.web import ASGIApp
from wsgessions_fastapi import FastAPIAdapter, SessionDep, SessionModel

__all__ = ["shared_server"]


class TestFastAPI(OnValkey, DiagnosisCases, AdapterSuite):
    def get_app(self, manager: SessionManager) -> ASGIApp:
        return FastAPIAdapter(manager=manager).install(make_app())

    def get_app_around(self, manager: SessionManager, layer: Layer) -> ASGIApp:
        app = make_app()
        app.add_middleware(layer)
        return FastAPIAdapter(manager=manager).install(app)


# -- FastAPI's own -----------------------------------------------------------------------------------------------------


class Line(BaseModel):
    sku: str
    quantity: int = 1


class Cart(BaseModel):
    lines: list[Line] = []
    since: datetime | None = None

    @computed_field  # type: ignore[prop-decorator]  # as pydantic has it
    @property
    def size(self) -> int:
        return sum(line.quantity for line in self.lines)


CartDep = Annotated[Cart, SessionModel("cart")]


def client_of(app: FastAPI, **settings: Any) -> TestClient:
    return TestClient(FastAPIAdapter(store_url="memory:", **settings).install(app), base_url="https://testserver")


def store_of(client: TestClient) -> WatchedStore:
    """The store of a client's application, watched from now on."""
    app: FastAPI = client.app  # type: ignore[assignment]
    manager: SessionManager = app.state.wsgessions
    watched = manager.requests.repository.store = WatchedStore(manager.store)
    return watched


@pytest.fixture
def shop() -> TestClient:
    """A shop whose cart is typed, and can be read and spoilt as plain data too."""
    app = FastAPI()

    @app.post("/add/{sku}")
    async def add(cart: CartDep, sku: str) -> int:
        for line in cart.lines:
            if line.sku == sku:
                line.quantity += 1
                break
        else:
            cart.lines.append(Line(sku=sku))
        return cart.size

    @app.get("/cart")
    def show(cart: CartDep) -> Cart:
        return cart

    @app.get("/plain")
    async def plain(session: SessionDep) -> Any:
        return session

    @app.post("/plain")
    async def put(session: SessionDep, values: dict[str, Any]) -> None:
        session.update(values)

    @app.post("/spoil")
    async def spoil(cart: CartDep) -> None:
        cart.lines.append("no line")  # type: ignore[arg-type]

    @app.post("/stamp")
    async def stamp(cart: CartDep) -> None:
        cart.since = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    @app.post("/fail/{sku}")
    async def fail(cart: CartDep, sku: str) -> None:
        cart.lines.append(Line(sku=sku))
        raise HTTPException(500)

    @app.post("/logout")
    async def logout(cart: CartDep, session: SessionDep) -> None:
        cart.lines.append(Line(sku="tea"))
        session.invalidate()

    @app.post("/late/{sku}")
    async def late(cart: CartDep, sku: str) -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            yield "first"
            cart.lines.append(Line(sku=sku))

        return StreamingResponse(parts())

    @app.websocket("/ws")
    async def socket(websocket: WebSocket, session: SessionDep, cart: CartDep) -> None:
        await websocket.accept()
        cart.lines.append(Line(sku=await websocket.receive_text()))
        await session.commit()
        await websocket.send_json(cart.size)
        await websocket.receive_text()

    return client_of(app)


def test_a_typed_attribute_is_made_from_plain_data_and_stored_as_such(shop: TestClient) -> None:
    assert [shop.post(f"/add/{sku}").json() for sku in ("tea", "tea", "milk")] == [1, 2, 3]
    assert shop.get("/cart").json()["size"] == 3
    lines = [{"sku": "tea", "quantity": 2}, {"sku": "milk", "quantity": 1}]
    assert shop.get("/plain").json() == {"cart": {"lines": lines, "since": None}}


def test_values_that_json_lacks_come_back_in_their_type(shop: TestClient) -> None:
    shop.post("/stamp")
    assert shop.get("/cart").json()["since"] == "2026-01-02T03:04:05Z"


def test_an_absent_attribute_gives_the_default_and_is_not_stored(shop: TestClient) -> None:
    """S-50."""
    response = shop.get("/cart")
    assert response.json() == {"lines": [], "since": None, "size": 0}
    assert "set-cookie" not in response.headers
    assert shop.get("/plain").json() == {}


def test_reading_writes_nothing(shop: TestClient) -> None:
    shop.post("/plain", json={"cart": {"lines": [{"sku": "tea"}]}})
    store = store_of(shop)
    assert shop.get("/cart").json()["size"] == 1
    assert not store.deltas


def test_only_the_typed_attribute_is_sent(shop: TestClient) -> None:
    shop.post("/plain", json={f"name{index}": "x" * 100 for index in range(20)})
    store = store_of(shop)
    shop.post("/add/tea")
    assert [list(delta.changed) for delta in store.deltas] == [["cart"]]


def test_a_stored_value_that_is_no_longer_valid_is_named_and_stays(shop: TestClient) -> None:
    """R-25, S-80: the rest of the session is usable, and the error does not quote the value."""
    spoilt = {"cart": {"lines": [{"sku": "tea", "quantity": "a secret"}]}, "color": "red"}
    shop.post("/plain", json=spoilt)
    with pytest.raises(CodecError) as caught:
        shop.get("/cart")
    assert caught.value.path == "cart.lines[0].quantity"
    assert "valid integer" in str(caught.value)
    assert "a secret" not in "".join(traceback.format_exception(caught.value))
    assert shop.get("/plain").json() == spoilt


def test_a_change_that_is_not_valid_is_refused_before_the_response(shop: TestClient) -> None:
    """R-01, R-34."""
    shop.post("/add/tea")
    with pytest.raises(CodecError) as caught:
        shop.post("/spoil")
    assert caught.value.path == "cart.lines[1]"
    assert shop.get("/cart").json()["size"] == 1


def test_changes_are_dropped_with_an_answer_of_the_500s(shop: TestClient) -> None:
    """R-33."""
    shop.post("/add/tea")
    assert shop.post("/fail/milk").status_code == 500
    assert shop.get("/cart").json()["size"] == 1


def test_a_typed_value_does_not_outlive_the_session(shop: TestClient) -> None:
    """S-54: what was in the cart at logout does not make a new session."""
    shop.post("/add/tea")
    response = shop.post("/logout")
    assert all("Max-Age=0" in cookie for cookie in response.headers.get_list("set-cookie"))
    assert shop.get("/plain").json() == {}


def test_a_stream_may_change_it_if_the_client_knows_the_session(shop: TestClient) -> None:
    """R-37."""
    shop.post("/add/tea")
    assert shop.post("/late/milk").text == "first"
    assert shop.get("/cart").json()["size"] == 2


def test_a_stream_cannot_create_a_session_by_it(shop: TestClient) -> None:
    """R-38: an error, not silence."""
    with pytest.raises(SessionClosed):
        shop.post("/late/milk")
    assert shop.get("/plain").json() == {}


def test_a_commit_in_a_websocket_takes_it_along(shop: TestClient) -> None:
    """R-42."""
    shop.post("/add/tea")
    with shop.websocket_connect("wss://testserver/ws") as websocket:
        websocket.send_text("milk")
        assert websocket.receive_json() == 2
        assert shop.get("/cart").json()["size"] == 2
        websocket.send_text("done")


def test_a_default_can_be_given() -> None:
    app = FastAPI()

    @app.get("/")
    async def show(line: Annotated[Line, SessionModel("line", default_factory=lambda: Line(sku="tea"))]) -> Line:
        line.quantity += 1
        return line

    client = client_of(app)
    assert [client.get("/").json()["quantity"] for _ in range(3)] == [2, 3, 4]


def test_a_type_without_a_default_is_refused_where_it_is_declared() -> None:
    app = FastAPI()
    with pytest.raises(TypeError, match="attribute 'line' needs a default_factory"):

        @app.get("/")
        async def show(line: Annotated[Line, SessionModel("line")]) -> Line:
            return line


def test_one_request_has_one_value_of_a_typed_attribute() -> None:
    app = FastAPI()

    async def twice(cart: CartDep) -> int:
        cart.lines.append(Line(sku="milk"))
        return 1

    @app.get("/")
    async def show(cart: Annotated[Cart, SessionModel("cart")], added: Annotated[int, Depends(twice)]) -> int:
        return cart.size

    assert client_of(app).get("/").json() == 1


@pytest.mark.parametrize("exit_of", ["function", "request"])
def test_a_dependency_with_yield_may_change_the_session_at_its_end(exit_of: Any) -> None:
    """R-37, R-39: before the response and after it, for a session that the client knows."""
    app = FastAPI()

    async def closing(session: SessionDep, cart: CartDep) -> AsyncIterator[None]:
        yield
        session["closed"] = session.get("closed", 0) + 1
        cart.lines.append(Line(sku="tea"))

    @app.get("/", dependencies=[Depends(closing, scope=exit_of)])
    async def home() -> str:
        return "home"

    @app.get("/session")
    async def whole(session: SessionDep) -> Any:
        session["known"] = True
        return {"closed": session.get("closed"), "lines": len(session.get("cart", {"lines": []})["lines"])}

    client = client_of(app)
    client.get("/session")
    for _ in range(2):
        client.get("/")
    assert client.get("/session").json() == {"closed": 2, "lines": 2}


class Profile(BaseModel):
    user: str
    tags: list[str]
    since: datetime


VALUES = {"user": "ann", "tags": ["a", "b"], "since": datetime(2026, 1, 2, tzinfo=UTC)}
SHOWN = {"user": "ann", "tags": ["a", "b"], "since": "2026-01-02T00:00:00Z"}


def returning(annotation: Any, **options: Any) -> TestClient:
    app = FastAPI()

    @app.post("/")
    async def fill(session: SessionDep) -> None:
        session.update(VALUES)

    async def whole(session: SessionDep) -> Any:
        return session

    async def inside(session: SessionDep) -> Any:
        return {"session": session}

    if annotation is not None:
        whole.__annotations__["return"] = annotation
    app.get("/", **options)(whole)
    app.get("/inside")(inside)
    return client_of(app)


@pytest.mark.parametrize(
    ("annotation", "options"),
    [
        (None, {}),
        (Any, {}),
        (dict, {}),
        (dict[str, Any], {}),
        (Session, {"response_model": None}),
        (None, {"response_model": dict[str, Any], "response_model_exclude_none": True}),
    ],
)
def test_returning_the_session_shows_its_values(annotation: Any, options: dict[str, Any]) -> None:
    client = returning(annotation, **options)
    client.post("/")
    for _ in range(2):
        response = client.get("/")
        shown = response.json()
        assert datetime.fromisoformat(shown.pop("since")) == VALUES["since"]
        assert shown == {"user": "ann", "tags": ["a", "b"]}
        assert response.headers["vary"] == "Cookie"
    assert client.get("/inside").json()["session"]["tags"] == ["a", "b"]


def test_a_response_model_takes_the_session_as_a_dict() -> None:
    """FastAPI reads what a model is made from past all methods. What is not decoded is refused there, not shown."""
    app = FastAPI()

    @app.post("/")
    async def fill(session: SessionDep) -> None:
        session.update(VALUES)

    @app.get("/")
    async def profile(session: SessionDep) -> Profile:
        return dict(session)  # type: ignore[return-value]  # FastAPI makes the model

    @app.get("/bare")
    async def bare(session: SessionDep) -> Profile:
        return session  # type: ignore[return-value]  # this is the mistake

    client = client_of(app)
    client.post("/")
    assert client.get("/").json() == SHOWN
    with pytest.raises(ResponseValidationError, match=r"dict\(session\) has its value"):
        client.get("/bare")


def test_the_openapi_document_has_the_cookie_as_a_security_scheme(shop: TestClient) -> None:
    document = shop.get("/openapi.json").json()
    scheme = document["components"]["securitySchemes"]["session"]
    assert scheme == {"type": "apiKey", "in": "cookie", "name": "__Host-sid"}
    assert document["paths"]["/plain"]["get"]["security"] == [{"session": []}]
    assert document["paths"]["/cart"]["get"]["security"] == [{"session": []}]
    assert "parameters" not in document["paths"]["/cart"]["get"]


def test_each_application_names_its_own_cookie() -> None:
    def document(**settings: Any) -> Any:
        app = FastAPI()

        @app.get("/")
        async def home(session: SessionDep) -> None: ...

        return client_of(app, **settings).get("/openapi.json").json()

    def name(document: Any) -> Any:
        return document["components"]["securitySchemes"]["session"]["name"]

    assert name(document(cookie={"insecure": True})) == "sid"
    assert name(document(cookie={"name": "__Host-shop"})) == "__Host-shop"
    assert name(document()) == "__Host-sid"


def test_installed_twice_the_first_stays(caplog: pytest.LogCaptureFixture) -> None:
    """R-50."""
    app = FastAPI()

    @app.get("/")
    async def home(session: SessionDep) -> None: ...

    client_of(app, cookie={"name": "__Host-first"})
    document = client_of(app).get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["session"]["name"] == "__Host-first"
    assert [record.__dict__["event"] for record in caplog.records] == ["installed_twice"]


def test_an_application_without_sessions_in_its_endpoints_has_no_scheme() -> None:
    assert "components" not in client_of(FastAPI()).get("/openapi.json").json()


def test_a_session_without_the_middleware_is_a_clear_error() -> None:
    app = FastAPI()

    @app.get("/")
    async def home(session: SessionDep) -> None: ...

    with pytest.raises(ConfigError, match=r"install\(app\)"):
        TestClient(app).get("/")


def test_a_session_can_be_put_in_its_place_by_tests() -> None:
    """R-62: FastAPI's overrides take the scheme that `SessionDep` is made of."""
    app = FastAPI()

    @app.get("/")
    async def home(session: SessionDep) -> Any:
        return session["user"]

    scheme = SessionDep.__metadata__[0].dependency  # type: ignore[attr-defined]
    app.dependency_overrides[scheme] = lambda: Session(user="ann")
    assert TestClient(app).get("/").json() == "ann"


def test_a_router_and_a_mounted_application_have_the_same_session() -> None:
    """R-49."""
    router = APIRouter(prefix="/router")

    @router.get("/count")
    def count(session: SessionDep) -> int:
        session["count"] = session.get("count", 0) + 1
        return int(session["count"])

    inner, outer = FastAPI(), FastAPI()
    inner.include_router(router)
    outer.include_router(router)
    outer.mount("/inner", inner)
    client = client_of(outer)
    paths = ("/router/count", "/inner/router/count", "/router/count")
    assert [client.get(path).json() for path in paths] == [1, 2, 3]
