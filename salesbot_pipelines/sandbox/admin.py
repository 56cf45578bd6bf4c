"""The Admin API's HTTP side: token, version, faults, body, answer. One POST in, one answer out."""

from __future__ import annotations

import asyncio
import re
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from .admin_answers import encode, json_answer, refuse_shop, refuse_token
from .broken import spoil_after, spoil_before, spoiled
from .calls import LoggedCall
from .execute import Spoil
from .faults import Rule
from .shop import API_VERSIONS, Shop

if TYPE_CHECKING:
    from .sandbox import Sandbox

_VERSION = re.compile(r"20\d\d-(?:01|04|07|10)")
_NAMED = re.compile(r"\b(?:query|mutation)\s+(\w+)")


class Asked(msgspec.Struct):
    """The body of a request."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = msgspec.field(default=None, name="operationName")

    @property
    def name(self) -> str | None:
        """The operation's name, for the log and the faults."""
        match = _NAMED.search(self.query)
        return self.operation_name or (match[1] if match else None)


_decode = msgspec.json.Decoder(Asked).decode


def answering_version(asked: str) -> str | None:
    """Return the version that answers: the one asked for if it is supported, else the oldest; None for nonsense."""
    if asked in API_VERSIONS or asked == "unstable":
        return asked
    return API_VERSIONS[0] if _VERSION.fullmatch(asked) else None


@dataclass
class _Call:
    """One call on its way through: what the log will tell about it."""

    sandbox: Sandbox
    logged: LoggedCall

    def done(self, answer: Response, outcome: str, **told: Any) -> Response:
        """Write the call down and return its answer."""
        self.sandbox.calls.add(replace(self.logged, status=answer.status_code, outcome=outcome, **told))
        return answer


async def answer_graphql(sandbox: Sandbox, request: Request) -> Response:
    """Answer POST /shops/{shop}/admin/api/{version}/graphql.json."""
    domain, asked_version = request.path_params["shop"], request.path_params["version"]
    call = _Call(sandbox, LoggedCall(sandbox.stamp(), domain, None, {}, asked_version, None, ""))
    try:
        asked: Asked | None = _decode(await request.body())
    except msgspec.MsgspecError:
        asked = None
    if asked is not None:
        call.logged = replace(call.logged, operation=asked.name, variables=asked.variables or {})
    shop, version = sandbox.world.find(domain), answering_version(asked_version)
    if shop is None or version is None:
        return call.done(json_answer({"errors": "Not Found"}, 404), "refused")
    rule, fault = await spoil_before(sandbox.faults, shop, call.logged.operation)
    call.logged = replace(call.logged, fault=fault)
    if rule is not None and (broken := spoiled(rule, shop)) is not None:
        return call.done(broken, "fault")
    refused = refuse_shop(shop) or refuse_token(
        sandbox.tokens, shop, request.headers.get("x-shopify-access-token", "")
    )
    if refused is not None:
        return call.done(refused, "refused")
    if asked is None:
        return call.done(
            json_answer({"errors": {"query": "Required parameter missing or invalid"}}, 400), "malformed"
        )
    sandbox.bulk.base_url = str(request.base_url).rstrip("/")
    await sandbox.bulk.settle(shop, asyncio.to_thread)
    return _run(call, shop, asked, version, rule)


def _spoils(rule: Rule | None) -> tuple[Spoil, ...]:
    if rule is None or rule.action != "partial":
        return ()
    if rule.required_access is not None:
        required = f"`{rule.required_access}` access scope."
        message = rule.message or f"Access denied for {rule.steps[-1]} field. Required access: {required}"
        documentation = "https://shopify.dev/api/usage/access-scopes"
        extensions = {"code": "ACCESS_DENIED", "documentation": documentation, "requiredAccess": required}
        return (Spoil(rule.steps, message, extensions),)
    plain = Spoil(rule.steps)
    code = rule.code or plain.extensions["code"]
    return (Spoil(rule.steps, rule.message or plain.message, {"code": code}),)


def _run(call: _Call, shop: Shop, asked: Asked, version: str, rule: Rule | None) -> Response:
    """Execute a request; spoil its true answer where a rule says so."""
    with shop.lock:
        before = int(shop.bucket.available())
        outcome = call.sandbox.engine.answer(
            shop, asked.query, asked.variables or {}, asked.operation_name, _spoils(rule)
        )
        payload = encode(outcome.body)
    headers = {"X-Shopify-API-Version": version, "X-Request-Id": str(uuid.uuid4())}
    answer = Response(payload, 200, headers, media_type="application/json; charset=utf-8")
    return call.done(
        spoil_after(rule, answer),
        outcome.outcome,
        requested=outcome.requested,
        actual=outcome.actual,
        available_before=before,
    )
