"""JSON answers, and the refusals that need no query: no shop, frozen shop, no token."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from .shop import Shop
from .tokens import TokenDesk

encode = msgspec.json.Encoder().encode
_FROZEN = {402: "Unavailable Shop", 403: "Forbidden", 404: "Not Found", 423: "Locked"}


def json_answer(body: Any, status: int = 200, **headers: str) -> Response:
    """Return a JSON answer; `Retry_After` becomes the header Retry-After."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(encode(body), status, names, media_type="application/json; charset=utf-8")


def refuse_shop(shop: Shop | None) -> Response | None:
    """Return the answer of a shop that does not exist, or is frozen or locked."""
    if shop is None:
        return json_answer({"errors": "Not Found"}, 404)
    if shop.frozen_status is not None:
        return json_answer({"errors": _FROZEN.get(shop.frozen_status, "Unavailable")}, shop.frozen_status)
    return None


def refuse_token(tokens: TokenDesk, shop: Shop, token: str) -> Response | None:
    """Return the answer to a token that does not open the shop now."""
    refusal = tokens.refusal(shop, token)
    return None if refusal is None else json_answer({"errors": refusal[1]}, refusal[0])
