"""The merchant's page as a page: whole, accessible, escaped, from this host alone; and every answer's headers."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from salesbot_pipelines.catalog.model import Omission
from salesbot_pipelines.receiver.pages import Markup, fill
from salesbot_pipelines_tests.receiver.harness import OTHER
from salesbot_pipelines_tests.receiver.visiting import Visitor, publish


@pytest.fixture
def visitor(door) -> Visitor:
    door.connect()
    return Visitor(door)


class Outline(HTMLParser):
    """Checks that tags are closed in order and gathers what matters for accessibility."""

    VOID = ("meta", "link", "br", "wbr")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def tags(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.seen if tag == name]


def test_the_page_is_whole_and_accessible(door, visitor):
    publish(door, omissions=[Omission(detail=None, reason="error", section="discounts")])
    page = visitor.page()
    outline = Outline()
    outline.feed(page.text)
    assert outline.open == []
    assert outline.tags("html") == [{"lang": "en"}]
    assert len(outline.tags("h1")) == len(outline.tags("main")) == len(outline.tags("header")) == 1
    assert [a["aria-live"] for _, a in outline.seen if "aria-live" in a] == ["polite"]
    identifiers = [attributes["id"] for _, attributes in outline.seen if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    assert {a["aria-labelledby"] for _, a in outline.seen if "aria-labelledby" in a} <= set(identifiers)
    assert outline.tags("meta")[1]["name"] == "viewport"
    assert all("style" not in attributes for _, attributes in outline.seen)
    assert outline.tags("script") == outline.tags("style") == []
    # Nothing from elsewhere.
    links = [value for _, attributes in outline.seen for name, value in attributes.items() if name in ("href", "src")]
    assert all(link.startswith(("/shopify/", "#")) for link in links)


def test_headers_of_every_kind_of_answer(door, visitor):
    for path in (
        "/shopify/status",
        "/nothing",
        "/healthz",
        "/metrics",
        "/shopify/callback",
        f"/shopify/{OTHER}/login",
    ):
        headers = door.http.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self';")
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_assets(door):
    style = door.http.get("/shopify/style.css")
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert "max-age" in style.headers["cache-control"]
    assert "http" not in style.text
    assert door.http.get("/shopify/icon.svg").headers["content-type"] == "image/svg+xml"


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_of_every_text_colour_in_both_schemes(door):
    style = door.http.get("/shopify/style.css").text
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in style.split("prefers-color-scheme")[:2]
    )
    for colours in (light, dark):
        pairs = [(ink, paper) for ink in ("ink", "soft", "brand") for paper in ("card", "paper")]
        pairs += [(tone, f"{tone}-wash") for tone in ("good", "busy", "warn")]
        pairs += [("ink", f"{tone}-wash") for tone in ("good", "busy", "warn")] + [("button-ink", "brand")]
        for ink, paper in pairs:
            bright, dim = sorted((luminance(colours[ink]), luminance(colours[paper])), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, (ink, paper)


def test_templates_escape_what_they_are_given():
    text = fill("action", href='"><script>', label="<b>&'\"") + fill("notice", title="x", text=Markup("<i>"))
    assert "<script>" not in text
    assert "&lt;b&gt;&amp;&#x27;&quot;" in text
    assert "<i>" in text
