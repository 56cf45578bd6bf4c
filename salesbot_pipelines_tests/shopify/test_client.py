"""Every way Shopify can answer has one meaning and one remedy."""

from __future__ import annotations

import gzip
import json
import socket
import threading

import httpx
import pytest

from salesbot_pipelines.errors import (
    AccessRefused,
    AccessRevoked,
    NeedsReauth,
    QueryRejected,
    ShopifyError,
    ShopifyUnavailable,
    ShopNotFound,
    ShopPaused,
    Throttled,
    WrongApiVersion,
)
from salesbot_pipelines.shopify.answers import AnswerTooLarge, CostTooHigh
from salesbot_pipelines.shopify.client import AdminClient, Limits, open_http
from salesbot_pipelines.shopify.tokens import StaticToken
from salesbot_pipelines_tests.shopify.wire import (
    LIST,
    PING,
    SHOP,
    TOKEN,
    VERSION,
    FakeClock,
    Wire,
    client_on,
    ok,
    text,
)

# What is sent


def test_a_call_is_a_post_with_the_token_in_its_header_and_not_in_its_url() -> None:
    wire = Wire(ok())
    client_on(wire).execute(LIST, {"first": 3})
    (request,) = wire.requests
    assert request.method == "POST"
    assert str(request.url) == f"https://{SHOP}/admin/api/{VERSION}/graphql.json"
    assert request.headers["X-Shopify-Access-Token"] == TOKEN
    assert json.loads(request.content) == {"query": LIST.text, "variables": {"first": 3}}


def test_the_sandbox_is_reached_by_a_template() -> None:
    wire = Wire(ok())
    client_on(wire, shop_url="http://127.0.0.1:1/shops/{shop}").execute(PING)
    assert str(wire.requests[0].url) == f"http://127.0.0.1:1/shops/{SHOP}/admin/api/{VERSION}/graphql.json"


def test_the_shared_http_client_follows_nothing_and_trusts_no_environment() -> None:
    with open_http() as http:
        assert not http.follow_redirects
        assert not http.trust_env
        assert None not in (http.timeout.connect, http.timeout.read)


# What is understood


def test_an_answer_carries_its_prices() -> None:
    answer = client_on(Wire(ok(requested=40, actual=12))).execute(PING)
    assert (answer.requested_cost, answer.actual_cost, answer.api_version) == (40, 12, VERSION)
    assert answer.data == {"shop": {"id": "1"}}


def test_numbers_keep_every_digit() -> None:
    body = b'{"data": {"percentage": 0.1, "id": 900719925474099312345}}'
    wire = Wire(httpx.Response(200, headers={"X-Shopify-API-Version": VERSION}, content=body))
    data = client_on(wire).execute(PING).data
    assert str(data["percentage"]) == "0.1"
    assert int(data["id"]) == 900719925474099312345


def test_partial_data_is_kept_and_its_holes_are_named() -> None:
    errors = [
        {
            "message": "Access denied for discountNodes field.",
            "path": ["discountNodes"],
            "extensions": {"code": "ACCESS_DENIED", "requiredAccess": "`read_discounts` access scope."},
        }
    ]
    answer = client_on(Wire(ok({"shop": {"id": "1"}, "discountNodes": None}, errors=errors))).execute(PING)
    assert answer.data["shop"] == {"id": "1"}
    (problem,) = answer.problems
    assert problem.denied
    assert problem.path == ("discountNodes",)
    assert "read_discounts" in problem.required_access
    assert answer.denial(("discountNodes",)) is problem
    assert answer.denial(("shop",)) is None


def test_a_denied_root_that_nulls_everything_is_an_answer_too() -> None:
    body = {"data": None, "errors": [{"message": "no", "extensions": {"code": "ACCESS_DENIED"}, "path": ["x"]}]}
    answer = client_on(Wire(httpx.Response(200, json=body))).execute(PING)
    assert answer.data == {}
    assert answer.problems[0].denied


@pytest.mark.parametrize(
    ("response", "error", "retryable"),
    [
        (text(401), AccessRevoked, False),
        (text(401, '{"errors": "[API] Invalid API key or access token"}'), AccessRevoked, False),
        (text(402), ShopPaused, False),
        (text(423), ShopPaused, False),
        (text(403), AccessRefused, False),
        (text(403, '{"errors": "[API] Non-expiring access tokens are no longer accepted"}'), NeedsReauth, False),
        (text(404), ShopNotFound, False),
        (text(301, location="https://evil.example/"), ShopNotFound, False),
        (text(307, location="https://evil.example/"), ShopNotFound, False),
        (text(400), QueryRejected, False),
        (text(406), QueryRejected, False),
        (text(500), ShopifyUnavailable, True),
        (text(502, "<html>Bad Gateway</html>"), ShopifyUnavailable, True),
        (text(503), ShopifyUnavailable, True),
        (text(504), ShopifyUnavailable, True),
        (text(408), ShopifyUnavailable, True),
        (text(200, "<html>maintenance</html>"), ShopifyUnavailable, True),
        (text(200, '{"data": {"shop": {"id"'), ShopifyUnavailable, True),
        (text(200, "[]"), ShopifyUnavailable, True),
        (text(200, "null"), ShopifyUnavailable, True),
        (text(200, ""), ShopifyUnavailable, True),
        (text(200, "{}"), ShopifyUnavailable, True),
        (text(200, '{"data": null}'), ShopifyUnavailable, True),
        (text(200, '{"data": []}'), ShopifyUnavailable, True),
        (text(204), ShopifyUnavailable, True),
        (httpx.Response(200, content=b"\xff\xfe{}"), ShopifyUnavailable, True),
        (text(200, "[" * 100_000), ShopifyUnavailable, True),
        (ok(version="2026-01"), WrongApiVersion, False),
        (text(200, '{"errors": [{"message": "Field x does not exist"}]}'), QueryRejected, False),
        (text(200, '{"errors": "something"}'), QueryRejected, False),
        (text(200, '{"errors": [{"extensions": {"code": "SHOP_INACTIVE"}}]}'), ShopPaused, False),
        (text(200, '{"errors": [{"extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}'), ShopifyUnavailable, True),
        (text(429), Throttled, True),
        (text(430), Throttled, True),
        (httpx.ConnectError("no route"), ShopifyUnavailable, True),
        (httpx.ReadTimeout("slow"), ShopifyUnavailable, True),
        (httpx.RemoteProtocolError("peer closed"), ShopifyUnavailable, True),
        (httpx.ReadError("reset"), ShopifyUnavailable, True),
    ],
)
def test_each_answer_has_one_meaning(response, error, retryable: bool) -> None:
    wire, clock = Wire(response), FakeClock()
    with pytest.raises(error) as caught:
        client_on(wire, clock).execute(PING)
    assert type(caught.value) is error
    assert caught.value.retryable is retryable
    assert caught.value.shop == SHOP
    assert TOKEN not in str(caught.value)
    assert "evil" not in str(caught.value)
    assert "html" not in str(caught.value)
    if retryable:
        assert len(wire.requests) > 3, "what passes by itself is tried again"
        assert clock.seconds <= (Limits().throttle_seconds if error is Throttled else Limits().deadline_seconds)
    elif error is not AccessRevoked:
        assert len(wire.requests) == 1, "what does not pass by itself is asked once"


@pytest.mark.parametrize(
    "trouble",
    [
        text(500),
        text(200, "<html>"),
        text(200, '{"data"'),
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        text(429),
    ],
)
def test_trouble_that_passes_is_survived(trouble) -> None:
    assert client_on(Wire(trouble, trouble, ok())).execute(PING).data == {"shop": {"id": "1"}}


def test_a_body_cut_in_the_middle_is_trouble_that_passes() -> None:
    whole = gzip.compress(json.dumps({"data": {"shop": {"id": "1"}}}).encode())
    cut = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(whole[:-20]))
    wire = Wire(lambda _: cut, ok())
    assert client_on(wire).execute(PING).data == {"shop": {"id": "1"}}
    assert len(wire.requests) == 2


# Tokens


class Renewable:
    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.rejected: list[str] = []

    def current(self) -> str:
        return self.tokens[0]

    def renew(self, rejected: str) -> str:
        self.rejected.append(rejected)
        self.tokens.pop(0)
        return self.tokens[0]


def only(token: str):
    def answer(request: httpx.Request) -> httpx.Response:
        return ok() if request.headers["X-Shopify-Access-Token"] == token else text(401)

    return answer


def test_a_refused_token_is_renewed_once_and_the_call_repeated() -> None:
    tokens, wire = Renewable("old", "new"), Wire(only("new"))
    client_on(wire, tokens=tokens).execute(PING)
    assert tokens.rejected == ["old"]
    assert len(wire.requests) == 2


def test_a_second_refusal_is_final() -> None:
    tokens, wire = Renewable("old", "new", "newest"), Wire(only("newest"))
    with pytest.raises(AccessRevoked):
        client_on(wire, tokens=tokens).execute(PING)
    assert tokens.rejected == ["old"]
    assert len(wire.requests) == 2


def test_a_dead_refresh_token_reaches_the_caller() -> None:
    class Dead(Renewable):
        def renew(self, rejected: str) -> str:
            raise NeedsReauth("the refresh token is dead")

    with pytest.raises(NeedsReauth):
        client_on(Wire(text(401)), tokens=Dead("old")).execute(PING)


@pytest.mark.parametrize("token", ["shpat_secret\nX-Evil: 1", "shpat_secret\u2028", "", "a b"])
def test_a_broken_token_is_refused_without_being_shown(token: str) -> None:
    wire = Wire(ok())
    with pytest.raises(AccessRevoked) as caught:
        client_on(wire, tokens=StaticToken(token)).execute(PING)
    assert "shpat_secret" not in str(caught.value)
    assert wire.requests == []


def test_nothing_printable_shows_the_token() -> None:
    calls = []
    client = client_on(Wire(text(500), ok()), on_call=calls.append)
    client.execute(PING)
    shown = repr(client) + repr(StaticToken(TOKEN)) + repr(calls) + repr(client.stats) + repr(vars(calls[0]))
    assert TOKEN not in shown
    assert [call.outcome for call in calls] == ["ShopifyUnavailable", "ok"]


# A real socket


def test_a_server_that_hangs_up_in_the_middle_is_survived() -> None:
    answer = json.dumps({"data": {"shop": {"id": "1"}}}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Shopify-API-Version: 2026-10\r\n"
    replies = [
        head + b"Content-Length: 500\r\n\r\n" + answer,
        b"",
        head + b"Content-Length: %d\r\n\r\n" % len(answer) + answer,
    ]
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for reply in replies:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)

    thread = threading.Thread(target=serve)
    thread.start()
    with open_http() as http:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/shops/{{shop}}"
        client = AdminClient(SHOP, StaticToken(TOKEN), http, api_version=VERSION, shop_url=url, clock=FakeClock())
        assert client.execute(PING).data == {"shop": {"id": "1"}}
    thread.join()
    listener.close()
    assert client.stats.calls == 3


def test_errors_are_of_the_tree() -> None:
    assert issubclass(CostTooHigh, QueryRejected)
    assert issubclass(AnswerTooLarge, ShopifyError)
