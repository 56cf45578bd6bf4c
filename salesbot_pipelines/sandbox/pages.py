"""The pages a person sees: which shops there are, how to reach them, and a form to change a price."""

from __future__ import annotations

import re
from html import escape
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from .control import describe_shop
from .filters import EVERYTHING
from .shop import NoSuchObject, Shop

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

SHOWN = 8
_PRICE = re.compile(r"\d{1,9}(\.\d{1,3})?")
_STYLE = Path(__file__).with_name("style.css")


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    """Return a page; `body` is trusted markup, `title` is escaped."""
    text = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="/_sandbox/style.css"></head><body>{body}</body></html>\n'
    )
    return HTMLResponse(text, status, HEADERS)


def _prices(shop: Shop) -> str:
    """Return a small table of the shop's first products, each with its price to change."""
    rows = []
    with shop.lock:
        for product in islice(shop.products.scan(*EVERYTHING), SHOWN):
            variant = product["variants"][0]
            rows.append(
                f'<tr><td>{escape(product["title"][:60])}</td><td><form method="post" '
                f'action="/_sandbox/shops/{escape(shop.domain)}/price">'
                f'<input type="hidden" name="variant" value="{escape(variant["id"])}">'
                f'<input name="price" value="{escape(variant["price"])}" size="10" inputmode="decimal" '
                f'aria-label="Price of {escape(product["title"][:60])}"> <button>Change</button></form></td></tr>'
            )
    return f"<table><tr><th>Product</th><th>Price of its first variant</th></tr>{''.join(rows)}</table>"


def _card(sandbox: Sandbox, shop: Shop) -> str:
    told = describe_shop(sandbox, shop.domain)
    numbers = "".join(f"<li><b>{count:,}</b> {name}</li>" for name, count in told["counts"].items())
    return (
        f'<section class="card" id="{escape(shop.domain)}"><h2>{escape(told["name"])}</h2>'
        f"<code>{escape(shop.domain)}</code>"
        f'<ul class="numbers">{numbers}<li>prices in <b>{escape(told["currency"])}</b></li></ul>'
        f"<p>Static token: <code>{escape(told['token'])}</code></p>{_prices(shop)}</section>"
    )


class _Pages:
    """The handlers of the pages."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def index(self, _request: Request) -> Response:
        shops = list(self.sandbox.world)
        cards = "".join(_card(self.sandbox, shop) for shop in shops[:SHOWN])
        more = f"<p class='note'>... and {len(shops) - SHOWN:,} more.</p>" if len(shops) > SHOWN else ""
        intro = (
            "<h1>Sandbox</h1><p class='note'>A small Shopify on this machine. Admin API: "
            "<code>/shops/SHOP/admin/api/2026-10/graphql.json</code>. A changed price is told by webhook.</p>"
        )
        return page("Sandbox", intro + cards + more)

    async def price(self, request: Request) -> Response:
        shop = self.sandbox.world.find(request.path_params["shop"])
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return page("Refused", "<h1>Refused</h1><p>This form is changed from its own page only.</p>", 403)
        asked = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        if shop is None or not _PRICE.fullmatch(asked.get("price", "")):
            return page("Not changed", "<h1>Not changed</h1><p>A price looks like 12.50.</p>", 400)
        try:
            shop.set_price(asked.get("variant", ""), asked["price"])
        except NoSuchObject:
            return page("Not changed", "<h1>Not changed</h1><p>There is no such variant.</p>", 404)
        return RedirectResponse(f"/#{shop.domain}", 303)

    async def style(self, _request: Request) -> Response:
        return Response(_STYLE.read_bytes(), media_type="text/css")


def page_routes(sandbox: Sandbox) -> list[Route]:
    """Return the routes of the pages."""
    pages = _Pages(sandbox)
    return [
        Route("/", pages.index, methods=["GET"]),
        Route("/_sandbox/style.css", pages.style, methods=["GET"]),
        Route("/_sandbox/shops/{shop}/price", pages.price, methods=["POST"]),
    ]
