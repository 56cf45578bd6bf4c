"""Where results of bulk operations are fetched: an address signed by itself, which needs no token and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from .broken import Truncate, spoil_after, spoil_before, spoiled

if TYPE_CHECKING:
    from .sandbox import Sandbox

_EXPIRED = b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code><Message>The link has ended.</Message></Error>"


def bulk_routes(sandbox: Sandbox) -> list[Route]:
    """Return the route of the downloads."""

    async def download(request: Request) -> Response:
        operation = sandbox.bulk.result(request.query_params.get("signature", ""))
        if operation is None:
            return Response(_EXPIRED, 400, media_type="application/xml")
        rule, _ = await spoil_before(sandbox.faults, operation.shop, "bulk_download")
        if rule is None:
            return FileResponse(operation.path, media_type="application/jsonl")
        if (broken := spoiled(rule, operation.shop)) is not None:
            return broken
        answer = Response(operation.path.read_bytes(), media_type="application/jsonl")
        return Truncate(answer, rule.count) if rule.action == "truncate" else spoil_after(rule, answer)

    return [Route("/_sandbox/bulk/{file}", download, methods=["GET"])]
