"""The merchant's page in each of its stages, what it must not say, and the pages' headers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from salesbot_pipelines.catalog.model import Generator, Omission, Source
from salesbot_pipelines.receiver import wording
from salesbot_pipelines.receiver.cookies import SESSION
from salesbot_pipelines.receiver.pages import Markup, fill
from salesbot_pipelines.refresh.manifest import MANIFEST_SCHEMA, Manifest, encode_manifest, timestamp
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines_tests.receiver.harness import OTHER, SHOP

REASON = "canary reason of ours"


class Visitor:
    """A browser with a session for one shop."""

    def __init__(self, door, shop: str = SHOP) -> None:
        self.door = door
        install = door.installs.require(shop)
        token = door.door.sessions.begin(shop, install.owner, lifetime_seconds=600)
        self.headers = {"cookie": f"{SESSION.name}={door.door.cookies.seal(SESSION, token)}"}

    def page(self):
        return self.door.http.get("/shopify/status", headers={**self.headers, "accept": "text/html"})

    def facts(self):
        return self.door.http.get("/shopify/status", headers={**self.headers, "accept": "application/json"}).json()


def publish(door, *, omissions=(), shop: str = SHOP, age: timedelta = timedelta(minutes=3)) -> None:
    """Put a manifest where a refresh would, and note that the work is done."""
    fetched = datetime.now(UTC) - age
    install, work = door.installs.require(shop), door.door.program.work
    counts = {"products": 1234, "variants": 4567, "collections": 1, "discounts": 0, "locations": 2}
    manifest = Manifest(
        bytes=10,
        counts=counts,
        fetched_at=timestamp(fetched),
        generated_at=timestamp(fetched),
        generator=Generator(name="x", run_id=None, version="1"),
        objects={},
        raw={},
        read_omissions=[],
        revision="sha256:" + "0" * 64,
        schema=MANIFEST_SCHEMA,
        schema_version="1.0.0",
        sha256="sha256:" + "0" * 64,
        source=Source(
            api_version="2026-10",
            complete=not omissions,
            counts=counts,
            fetched_at=timestamp(fetched),
            method="paged",
            omissions=list(omissions),
            platform="shopify",
            trigger="manual",
        ),
    )
    key = ShopKeys(install.owner, shop).manifest
    door.door.program.store.put(key, encode_manifest(manifest), content_type="application/json")
    lease = work.lease(shop, "test", 60)
    work.publish_done(lease, fetched_at=fetched, revision="sha256:0")


@pytest.fixture
def visitor(door) -> Visitor:
    door.connect()
    return Visitor(door)


def shown(page) -> str:
    """What a person reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.text.partition("<main")[2]).split())


def refresh_seconds(page) -> int:
    return int(re.search(r'http-equiv="refresh" content="(\d+)"', page.text)[1])


def test_queued(visitor):
    page = visitor.page()
    assert page.status_code == 200
    assert wording.STAGES["queued"].headline in shown(page)
    assert refresh_seconds(page) <= 5
    assert visitor.facts() == {
        "shop": SHOP,
        "status": "installed",
        "refresh": "queued",
        "published": False,
        "fetched_at": None,
        "counts": {},
        "missing": [],
    }


def test_running(door, visitor):
    door.door.program.work.lease(SHOP, "run", 60)
    assert wording.STAGES["running"].headline in shown(visitor.page())
    assert visitor.facts()["refresh"] == "running"


def test_published(door, visitor):
    publish(door)
    page = visitor.page()
    text = shown(page)
    assert wording.STAGES["published"].headline in text
    assert "1,234" in text
    assert "Collection" in text
    assert "3 minutes ago" in text
    assert refresh_seconds(page) >= 20
    facts = visitor.facts()
    assert (facts["refresh"], facts["published"], facts["counts"]["products"]) == ("published", True, 1234)


def test_published_and_changed_since(door, visitor):
    publish(door)
    door.door.program.work.want(SHOP)
    text = shown(visitor.page())
    assert wording.STAGES["updating"].headline in text
    assert "1,234" in text


@pytest.mark.parametrize("published", [False, True])
def test_a_failed_refresh_is_told_without_our_reason(door, visitor, published):
    if published:
        publish(door)
        door.door.program.work.want(SHOP)
    work = door.door.program.work
    work.failed(work.lease(SHOP, "run", 60), REASON, retryable=True)
    text = shown(visitor.page())
    assert "tried again" in text
    assert REASON not in visitor.page().text
    assert visitor.facts()["refresh"] == "waiting"


def test_parked_shows_what_to_do(door, visitor):
    work = door.door.program.work
    while not work.status(SHOP).parked:
        work.failed(work.lease(SHOP, "run", 60), REASON, retryable=True)
    page = visitor.page()
    assert wording.STAGES["stopped"].headline in shown(page)
    assert f'href="/shopify/{SHOP}/login"' in page.text
    assert REASON not in page.text
    # Logging in again gives it a new chance.
    door.connect()
    assert visitor.facts()["refresh"] == "queued"


def test_a_dead_token_shows_the_way_to_log_in_again(door, visitor):
    publish(door)
    door.installs.mark_needs_reauth(SHOP, REASON)
    page = visitor.page()
    assert wording.STAGES["needs_reauth"].headline in shown(page)
    assert f'href="/shopify/{SHOP}/login"' in page.text
    assert REASON not in page.text
    assert "1,234" in page.text
    assert visitor.facts()["status"] == "needs_reauth"
    door.connect()
    assert visitor.facts()["status"] == "installed"


def test_what_is_missing_and_what_to_do(door, visitor):
    gaps = [
        Omission(detail=REASON, reason="access_denied", section="discounts"),
        *[Omission(detail=None, reason="truncated", section=f"/products/{n}/variants") for n in range(5)],
        Omission(detail="<script>alert(1)</script>", reason="never heard of", section="<b>odd</b>"),
    ]
    publish(door, omissions=gaps)
    page = visitor.page()
    text = shown(page)
    assert "Discounts" in text
    assert "Log in again and accept all of them." in text
    assert "Parts of products and variants (5)" in text
    assert "<b>odd" not in page.text.lower()
    assert "<script" not in page.text
    assert REASON not in page.text
    assert len(visitor.facts()["missing"]) == 7


def test_many_gaps_are_told_as_a_handful():
    many = [Omission(detail=None, reason="error", section=f"section_{number}") for number in range(30)]
    told = wording.gaps(many)
    assert len(told) == 9
    assert told[-1][0] == "and 22 more"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7199, "1 hour ago"),
        (7200, "2 hours ago"),
        (200_000, "2 days ago"),
    ],
)
def test_ages(seconds, text):
    now = datetime(2026, 11, 25, tzinfo=UTC)
    assert wording.ago(now - timedelta(seconds=seconds), now) == text


# ---- who may see it ----------------------------------------------------------------------------------------


def test_without_a_session(door):
    answer = door.http.get("/shopify/status", headers={"accept": "text/html"})
    assert answer.status_code == 401
    assert "Open the app" in answer.text
    assert door.http.get("/shopify/status", headers={"accept": "application/json"}).json()["error"] == "unauthorised"


def test_a_session_ends(door, visitor):
    door.clock.shift = timedelta(seconds=601)
    assert visitor.page().status_code == 401


def test_a_token_without_our_signature(door, visitor):
    install = door.installs.require(SHOP)
    token = door.door.sessions.begin(SHOP, install.owner, lifetime_seconds=600)
    assert door.http.get("/shopify/status", headers={"cookie": f"{SESSION.name}={token}"}).status_code == 401


def test_a_disconnected_shops_session_is_over(door, visitor):
    door.installs.uninstall(SHOP)
    assert visitor.page().status_code == 401


def test_a_session_does_not_survive_a_new_owner(door, visitor):
    door.installs.uninstall(SHOP)
    token = door.door.sessions.begin(SHOP, door.installs.find(SHOP).owner, lifetime_seconds=600)
    door.installs.forget(SHOP)
    door.connect()
    cookie = f"{SESSION.name}={door.door.cookies.seal(SESSION, token)}"
    assert door.http.get("/shopify/status", headers={"cookie": cookie}).status_code == 401


# ---- the page as a page ------------------------------------------------------------------------------------


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
