"""Chromium for tests that click, and the pictures that they keep."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salesbot_pipelines_tests.needs import do_without

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = Path(__file__).parents[2] / "test-artefacts"
_PATIENCE_MS = 180_000
_SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium_page() -> Iterator[Page]:
    """Open a page in Chromium; without one the test is skipped, except where CI must have it."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        do_without("Chromium is not installed (Debian: chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_SWITCHES))
        try:
            page = browser.new_page(viewport={"width": 1400, "height": 900}, device_scale_factor=2)
            page.set_default_timeout(_PATIENCE_MS)
            yield page
        finally:
            browser.close()


def keep(page: Page, name: str, **picture: Any) -> None:
    """Keep a picture of the page under test-artefacts/."""
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", **picture)


def graph_of(page: Page, assets: Sequence[str]) -> dict[str, float]:
    """Give the part of the page that the assets' boxes cover in the graph, with a margin."""
    marks = [page.get_by_text(asset, exact=True).first for asset in assets]
    marks += page.locator("text=100% filled").all() + page.get_by_text("json", exact=True).all()
    boxes = [box for mark in marks if (box := mark.bounding_box())]
    left, top = min(box["x"] for box in boxes) - 44, min(box["y"] for box in boxes) - 26
    right = max(box["x"] + box["width"] for box in boxes) + 30
    bottom = max(box["y"] + box["height"] for box in boxes) + 24
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}
