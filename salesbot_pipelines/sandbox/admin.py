"""The Admin API's HTTP side: token, version, body, answer. One POST in, one answer out."""

from __future__ import annotations

import hmac
import re
import uuid
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from .calls import LoggedCall
from .execute import Outcome
from .shop import API_VERSIONS, Shop

if TYPE_CHECKING:
    from .sandbox import Sandbox

_VERSION = re.compile(r"20\d\d-(?:01|04|07|10)")
_encode = msgspec.json.Encoder().encode


class Asked(msgspec.Struct):
    """The body of a request."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = msgspec.field(default=None, name="operationName")


_decode = msgspec.json.Decoder(Asked).decode


def answering_version(asked: str) -> str | None:
    """Return the version that answers: the one asked for if it is supported, else the oldest; None for nonsense."""
    if asked in API_VERSIONS or asked == "unstable":
        return asked
    return API_VERSIONS[0] if _VERSION.fullmatch(asked) else None


def json_answer(body: Any, status: int = 200, **headers: str) -> Response:
    """Return a JSON answer."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(_encode(body), status, names, media_type="application/json; charset=utf-8")


def refuse_shop(shop: Shop | None) -> Response | None:
    """Return the answer of a shop that does not exist, or is frozen or locked."""
    if shop is None:
        return json_answer({"errors": "Not Found"}, 404)
    if shop.frozen_status is not None:
        texts = {402: "Unavailable Shop", 423: "Locked", 403: "Forbidden", 404: "Not Found"}
        return json_answer({"errors": texts.get(shop.frozen_status, "Unavailable")}, shop.frozen_status)
    return None


async def answer_graphql(sandbox: Sandbox, request: Request) -> Response:
    """Answer POST /shops/{shop}/admin/api/{version}/graphql.json."""
    domain, asked_version = request.path_params["shop"], request.path_params["version"]
    shop = sandbox.world.find(domain)
    refused = refuse_shop(shop)
    version = answering_version(asked_version)
    if refused is not None or shop is None or version is None:
        answer = refused or json_answer({"errors": "Not Found"}, 404)
        sandbox.log(LoggedCall(sandbox.stamp(), domain, None, {}, asked_version, answer.status_code, "refused"))
        return answer
    if not is_known_token(shop, request.headers.get("x-shopify-access-token", "")):
        text = "[API] Invalid API key or access token (unrecognized login or wrong password)"
        sandbox.log(LoggedCall(sandbox.stamp(), domain, None, {}, asked_version, 401, "unauthorized"))
        return json_answer({"errors": text}, 401)
    try:
        asked = _decode(await request.body())
    except msgspec.MsgspecError as error:
        sandbox.log(LoggedCall(sandbox.stamp(), domain, None, {}, asked_version, 400, "malformed"))
        return json_answer({"errors": {"query": f"Required parameter missing or invalid: {error}"}}, 400)
    return run_query(sandbox, shop, asked, asked_version, version)


def is_known_token(shop: Shop, token: str) -> bool:
    """Say whether a token opens the shop now."""
    return bool(token) and hmac.compare_digest(token.encode(), shop.token.encode())


def run_query(sandbox: Sandbox, shop: Shop, asked: Asked, asked_version: str, version: str) -> Response:
    """Execute a request and log it."""
    name = asked.operation_name or operation_name(asked.query)
    with sandbox.world.lock:
        before = int(shop.bucket.available())
        outcome: Outcome = sandbox.engine.answer(shop, asked.query, asked.variables or {}, asked.operation_name)
        payload = _encode(outcome.body)
    sandbox.log(
        LoggedCall(
            sandbox.stamp(),
            shop.domain,
            name,
            asked.variables or {},
            asked_version,
            200,
            outcome.outcome,
            outcome.requested,
            outcome.actual,
            before,
        )
    )
    headers = {"X-Shopify-API-Version": version, "X-Request-Id": str(uuid.uuid4())}
    return Response(payload, 200, headers, media_type="application/json; charset=utf-8")


_NAMED = re.compile(r"\b(?:query|mutation)\s+(\w+)")


def operation_name(query: str) -> str | None:
    """Return the name of a text's first operation, for the log and the faults."""
    match = _NAMED.search(query)
    return match[1] if match else None
