"""The walk of a merchant in a real browser: log in, grant, come back, see the catalog published."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from salesbot_pipelines.catalog.model import Omission
from salesbot_pipelines_tests.needs import do_without
from salesbot_pipelines_tests.receiver.harness import SHOP
from salesbot_pipelines_tests.receiver.test_status import publish

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ARTEFACTS = Path("test-artefacts") / "receiver"


@pytest.fixture
def browser():
    if CHROMIUM is None:
        do_without("Chromium is not installed (Debian: chromium)")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


def visit(browser, **options):
    """Open a page that notes everything it complains about and everything it asks for."""
    context = browser.new_context(locale="en", **options)
    page = context.new_page()
    page.complaints, page.asked = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    return page


def picture(page, name: str) -> None:
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(ARTEFACTS / f"{name}.png"), full_page=True)


def wait_for_title(page, words: str) -> None:
    """Wait until the page, which loads itself again, has such a title."""
    from playwright.sync_api import expect

    expect(page).to_have_title(re.compile(words), timeout=20_000)


def is_within_the_screen(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_install_in_chromium(connected_door, browser):
    page = visit(browser, viewport={"width": 1100, "height": 800})
    page.goto(f"{connected_door.url}/shopify/{SHOP}/login")
    picture(page, "1-grant")
    page.get_by_role("button").click()
    page.wait_for_url("**/shopify/status")
    assert page.get_by_role("heading", level=1).inner_text() == SHOP
    picture(page, "2-queued")
    [session] = [cookie for cookie in page.context.cookies() if cookie["name"].endswith("session")]
    assert session["name"] == "__Host-salesbot_session"
    assert (session["secure"], session["httpOnly"], session["sameSite"], session["path"]) == (True, True, "Lax", "/")
    lease = connected_door.door.program.work.lease(SHOP, "run", 60)
    wait_for_title(page, "being read")
    picture(page, "3-running")
    connected_door.door.program.work.release(lease)
    publish(connected_door)
    # Nobody touches it: the page follows by itself.
    wait_for_title(page, "is published")
    picture(page, "4-published")
    assert "1,234" in page.inner_text("main")
    assert page.complaints == []
    hosts = {url.split("/")[2] for url in page.asked}
    assert hosts <= {f"127.0.0.1:{connected_door.port}", connected_door.door.settings.shopify.shop_url.split("/")[2]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_on_a_phone(connected_door, browser, scheme):
    page = visit(browser, viewport={"width": 360, "height": 740}, device_scale_factor=2, color_scheme=scheme)
    page.goto(f"{connected_door.url}/shopify/{SHOP}/login")
    page.get_by_role("button").click()
    page.wait_for_url("**/shopify/status")
    gaps = [
        Omission(detail=None, reason="access_denied", section="discounts"),
        Omission(detail=None, reason="truncated", section="/products/1/variants"),
    ]
    publish(connected_door, omissions=gaps)
    connected_door.installs.mark_needs_reauth(SHOP, "dead")
    page.reload()
    picture(page, f"5-phone-{scheme}")
    assert is_within_the_screen(page)
    login = page.get_by_role("link", name="Log in with Shopify")
    assert login.bounding_box()["height"] >= 40
    # By keyboard alone: skip link, login, look again.
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Log in with Shopify"
    page.keyboard.press("Enter")
    page.get_by_role("button").click()
    page.wait_for_url("**/shopify/status")
    assert connected_door.installs.require(SHOP).status == "installed"
    assert page.complaints == []


def test_refusals_in_chromium(connected_door, browser):
    page = visit(browser, viewport={"width": 1100, "height": 700})
    answer = page.goto(f"{connected_door.url}/shopify/status")
    assert answer.status == 401
    picture(page, "6-no-session")
    answer = page.goto(f"{connected_door.url}/shopify/evil.com/login")
    assert answer.status == 400
    assert page.get_by_role("heading", level=1).count() == 1
    # A page elsewhere cannot frame ours.
    framed = visit(browser)
    framed.route(
        "**/outer",
        lambda route: route.fulfill(
            body=f'<iframe src="{connected_door.url}/shopify/status"></iframe>', content_type="text/html"
        ),
    )
    framed.goto("http://127.0.0.1:1/outer")
    framed.wait_for_timeout(300)
    assert all(frame.url.startswith(("chrome-error", "http://127.0.0.1:1")) for frame in framed.frames)
