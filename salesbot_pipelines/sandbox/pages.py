"""The pages a person sees: which shops there are, how to reach them, and a form to change a price."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from .control import describe_shop

if TYPE_CHECKING:
    from .sandbox import Sandbox

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_STYLE = Path(__file__).with_name("style.css")


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    """Return a page; `body` is trusted markup, `title` is escaped."""
    text = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="/_sandbox/style.css"></head><body>{body}</body></html>\n'
    )
    return HTMLResponse(text, status, HEADERS)


def _card(sandbox: Sandbox, domain: str) -> str:
    told = describe_shop(sandbox, domain)
    numbers = "".join(f"<li><b>{count:,}</b> {name}</li>" for name, count in told["counts"].items())
    return (
        f'<section class="card"><h2>{escape(told["name"])}</h2><code>{escape(domain)}</code>'
        f'<ul class="numbers">{numbers}<li>prices in <b>{escape(told["currency"])}</b></li></ul>'
        f"<p>Static token: <code>{escape(told['token'])}</code></p></section>"
    )


def page_routes(sandbox: Sandbox) -> list[Route]:
    """Return the routes of the pages."""

    async def index(_request: Request) -> Response:
        cards = "".join(_card(sandbox, shop.domain) for shop in sandbox.world)
        intro = (
            "<h1>Sandbox</h1><p class='note'>A small Shopify on this machine. Every shop here is invented. "
            "Admin API: <code>/shops/SHOP/admin/api/2026-10/graphql.json</code>.</p>"
        )
        return page("Sandbox", intro + cards)

    async def style(_request: Request) -> Response:
        return Response(_STYLE.read_bytes(), media_type="text/css")

    return [Route("/", index, methods=["GET"]), Route("/_sandbox/style.css", style, methods=["GET"])]
