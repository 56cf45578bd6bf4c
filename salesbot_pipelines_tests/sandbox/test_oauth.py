"""Installing the app, and the lives of tokens."""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from salesbot_pipelines.sandbox.sandbox import Sandbox
from salesbot_pipelines.sandbox.server import SandboxServer
from salesbot_pipelines.sandbox.tokens import AppCredentials, TokenRules

ASKED = {
    "client_id": "sandbox-client-id",
    "scope": "read_products,read_inventory",
    "redirect_uri": "http://127.0.0.1:9/shopify/callback",
    "state": "s p&ce",
}
SECRET = "sandbox-client-secret"
ME = {"client_id": "sandbox-client-id", "client_secret": SECRET}
NAME = "{ shop { name } }"


def grant(client, http, **changed):
    page = http.get(f"{client.address}/admin/oauth/authorize", params={**ASKED, **changed})
    assert page.status_code == 200, page.text
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text.replace("&amp;", "&")))
    answer = http.post(f"{client.address}/admin/oauth/authorize", data=fields)
    assert answer.status_code == 302
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def tokens(client, http, **body):
    answer = http.post(f"{client.address}/admin/oauth/access_token", json={**ME, **body})
    return answer.status_code, answer.json()


def pair(client, http):
    status, body = tokens(client, http, code=grant(client, http)["code"], expiring="1")
    assert status == 200
    return body


def test_the_redirect_back_is_signed_as_shopify_signs_it(client, http):
    told = grant(client, http)
    signature = told.pop("hmac")
    message = "&".join(f"{key}={quote(told[key], safe='').replace('%20', '+')}" for key in sorted(told))
    assert hmac.new(SECRET.encode(), message.encode(), hashlib.sha256).hexdigest() == signature
    assert set(told) == {"code", "host", "shop", "state", "timestamp"}
    assert told["state"] == "s p&ce"
    assert told["shop"] == "small.myshopify.com"


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "another"},
        {"redirect_uri": "http://elsewhere.example/callback"},
        {"redirect_uri": "javascript:alert(1)"},
        {"grant_options[]": "per-user"},
    ],
)
def test_a_grant_nobody_should_give(client, http, changed):
    answer = http.get(f"{client.address}/admin/oauth/authorize", params={**ASKED, **changed})
    assert answer.status_code == 400
    assert "form-action 'self'" in answer.headers["content-security-policy"]


def test_a_code_is_used_once_and_soon(client, http, clock):
    code = grant(client, http)["code"]
    status, body = tokens(client, http, code=code)
    assert (status, set(body)) == (200, {"access_token", "scope"})
    assert body["scope"] == "read_products,read_inventory"
    assert client.post(NAME, token=body["access_token"]).status_code == 200
    assert tokens(client, http, code=code)[0] == 400
    code = grant(client, http)["code"]
    clock.advance(61)
    assert tokens(client, http, code=code)[1]["error"] == "invalid_request"
    assert tokens(client, http, code=grant(client, http)["code"], client_secret="wrong")[0] == 401


def test_an_expiring_token_ends_and_its_refresh_token_makes_another(client, http, clock):
    first = pair(client, http)
    assert (first["expires_in"], first["refresh_token_expires_in"]) == (3600, 7_776_000)
    clock.advance(3_599)
    assert client.post(NAME, token=first["access_token"]).status_code == 200
    clock.advance(2)
    assert client.post(NAME, token=first["access_token"]).status_code == 401
    status, second = tokens(client, http, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert status == 200
    assert second["refresh_token"] != first["refresh_token"]
    assert client.post(NAME, token=second["access_token"]).status_code == 200


def refresh(client, http, pair_):
    return tokens(client, http, grant_type="refresh_token", refresh_token=pair_["refresh_token"])


def test_the_former_refresh_token_lives_until_its_replacement_is_used(client, http, sandbox):
    first = pair(client, http)
    _, lost = refresh(client, http, first)
    status, second = refresh(client, http, first)
    assert status == 200
    assert refresh(client, http, lost) == (
        400,
        {"error": "invalid_grant", "error_description": "The refresh token is invalid, expired or revoked"},
    )
    assert refresh(client, http, second)[0] == 200
    assert refresh(client, http, first)[1]["error"] == "invalid_grant"


def test_refresh_tokens_end(client, http, clock, sandbox):
    first = pair(client, http)
    clock.advance(90 * 86_400 + 1)
    assert refresh(client, http, first)[1]["error"] == "invalid_grant"
    second = pair(client, http)
    sandbox.tokens.expire_refresh("small.myshopify.com")
    assert refresh(client, http, second)[1]["error"] == "invalid_grant"
    assert client.post(NAME, token=second["access_token"]).status_code == 200
    sandbox.tokens.expire_access("small.myshopify.com")
    assert client.post(NAME, token=second["access_token"]).status_code == 401


def test_client_credentials_and_the_exchange_of_a_lasting_token(client, http, clock):
    _, day = tokens(client, http, grant_type="client_credentials")
    assert (set(day), day["expires_in"]) == ({"access_token", "scope", "expires_in"}, 86_399)
    assert client.post(NAME, token=day["access_token"]).status_code == 200
    _, lasting = tokens(client, http, code=grant(client, http)["code"])
    kind = "urn:ietf:params:oauth:grant-type:token-exchange"
    _, new = tokens(client, http, grant_type=kind, subject_token=lasting["access_token"], expiring="1")
    assert "refresh_token" in new
    assert client.post(NAME, token=lasting["access_token"]).status_code == 401
    assert tokens(client, http, grant_type="password")[1]["error"] == "unsupported_grant_type"


def test_an_uninstall_ends_every_token_for_good(client, http, shop):
    first = pair(client, http)
    shop.uninstall()
    assert client.post(NAME).status_code == 401
    assert client.post(NAME, token=first["access_token"]).status_code == 401
    assert refresh(client, http, first)[0] == 400
    second = pair(client, http)
    assert client.post(NAME, token=first["access_token"]).status_code == 401
    assert client.post(NAME, token=second["access_token"]).status_code == 200


def test_the_token_endpoint_breaks_too(client, http, sandbox):
    sandbox.faults.add("empty", operation="access_token")
    assert http.post(f"{client.address}/admin/oauth/access_token", json=ME).content == b""
    sandbox.faults.add("lost", operation="access_token")
    first = pair_before = grant(client, http)
    with pytest.raises(Exception, match="without sending a response"):
        tokens(client, http, code=first["code"], expiring="1")
    assert tokens(client, http, code=pair_before["code"])[0] == 400


def test_what_a_sandbox_can_be_told(sandbox, http, shop, connect):
    rules = TokenRules(access_seconds=5, require_expiring=True, grant_only=["read_products"])
    told = Sandbox(sandbox.world, credentials=AppCredentials("me", "mine"), token_rules=rules)
    with SandboxServer(told) as server:
        client = connect(server, shop)
        assert client.post(NAME).status_code == 403
        code = grant(client, http, client_id="me")["code"]
        _, body = tokens(client, http, client_id="me", client_secret="mine", code=code, expiring=1)
        assert (body["scope"], body["expires_in"]) == ("read_products", 5)
    assert "mine" not in repr(told.tokens.app)
