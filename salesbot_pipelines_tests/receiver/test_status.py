"""The merchant's page in each of its stages, what it must not say, and the pages' headers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from salesbot_pipelines.catalog.model import Omission
from salesbot_pipelines.errors import StoreUnavailable
from salesbot_pipelines.receiver import wording
from salesbot_pipelines.receiver.cookies import SESSION
from salesbot_pipelines_tests.receiver.harness import SHOP
from salesbot_pipelines_tests.receiver.visiting import Visitor, publish

REASON = "canary reason of ours"


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


def test_a_store_that_cannot_be_asked_does_not_unpublish_anything(door, visitor, monkeypatch):
    publish(door)
    store = door.door.program.store

    def gone(_store, key):
        raise StoreUnavailable("out of order", key=key)

    monkeypatch.setattr(type(store), "read", gone)
    text = shown(visitor.page())
    assert wording.STAGES["published"].headline in text
    assert "1,234" not in text
    assert visitor.facts()["published"] is True


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
    assert wording.STAGES["behind" if published else "waiting"].headline in text
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
    former = door.installs.find(SHOP).owner
    door.installs.uninstall(SHOP)
    door.installs.forget(SHOP)
    door.connect()
    assert visitor.page().status_code == 401
    # Not even one that was begun while the shop was being forgotten.
    token = door.door.sessions.begin(SHOP, former, lifetime_seconds=600)
    cookie = f"{SESSION.name}={door.door.cookies.seal(SESSION, token)}"
    assert door.http.get("/shopify/status", headers={"cookie": cookie}).status_code == 401
