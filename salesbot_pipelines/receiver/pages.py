"""The door's few pages: templates filled with escaped text, and the headers that go with them.

A value that is put into a template is escaped unless it was itself made by `fill`; a template can hold no
script, and the headers would not let one run. Everything a page needs comes from this host.
"""

from __future__ import annotations

import html
from functools import cache
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from salesbot_pipelines.receiver.refusals import Refusal

_FOLDER = Path(__file__).with_name("pages")

SECURITY_HEADERS: list[tuple[bytes, bytes]] = [
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        b"frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]

HSTS = (b"strict-transport-security", b"max-age=31536000")


class Markup(str):
    """Text that is HTML already: a filled template, or several joined."""

    __slots__ = ()


def fill(template: str, /, **values: object) -> Markup:
    """Fill `pages/<template>.html`; every value but `Markup` is escaped, for text and for attributes."""
    escaped = {
        name: value if isinstance(value, Markup) else html.escape(str(value), quote=True)
        for name, value in values.items()
    }
    return Markup(_template(template).substitute(escaped))


def joined(parts: list[Markup]) -> Markup:
    """Put filled templates one after another."""
    return Markup("".join(parts))


def page(title: str, content: Markup, *, refresh_seconds: int | None = None) -> Markup:
    """Return a whole page around its content; it loads itself again after `refresh_seconds`."""
    refresh = fill("refresh", seconds=refresh_seconds) if refresh_seconds else Markup("")
    return fill("layout", title=title, content=content, refresh=refresh)


def refusal_response(request: Request, refusal: Refusal) -> Response:
    """Say no, as a page or as JSON, whichever the client asked for."""
    headers = {name.decode(): value.decode() for name, value in refusal.headers}
    if wants_json(request):
        return JSONResponse({"error": refusal.outcome, "message": refusal.text}, refusal.status, headers)
    content = fill("refusal", title=refusal.title, text=refusal.text)
    return HTMLResponse(page(refusal.title, content), refusal.status, headers)


def wants_json(request: Request) -> bool:
    """Does a program ask, and not a browser?"""
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


@cache
def asset(name: str) -> bytes:
    """Return a file that pages refer to."""
    return (_FOLDER / name).read_bytes()


@cache
def _template(name: str) -> Template:
    return Template((_FOLDER / f"{name}.html").read_text(encoding="utf-8"))
