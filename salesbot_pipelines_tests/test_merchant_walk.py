"""A merchant's life with the running demo: install in a browser, a price, a lost login, uninstall, redaction.

One demo for all of it: sandbox, receiver and Dagster as `salesbot demo` starts them, Chromium for what the merchant
sees, and the store, the database and Dagster looked at from outside.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from salesbot_pipelines.settings import VARIABLES
from salesbot_pipelines_tests.defs.browser import chromium_page, keep
from salesbot_pipelines_tests.defs.running import ask, until

pytestmark = [pytest.mark.xdist_group("dagster_ui"), pytest.mark.browser]

SHOP, OTHER = "awkward-attic.myshopify.com", "tiny-teapots.myshopify.com"
PRIVACY = ("customers/data_request", "customers/redact")
LAUNCH = """
mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
RUN = """
query($id: ID!) { runOrError(runId: $id) { ... on Run {
  status eventConnection { events { ... on MessageEvent { timestamp message } } } } } }
"""
KNOWN = "{ assetNodes { assetKey { path } partitionKeys } }"
CHECKS = """
{ assetNodes { assetKey { path } assetChecksOrError { ... on AssetChecks { checks {
  name executionForLatestMaterialization { evaluation {
    success metadataEntries { label ... on MarkdownMetadataEntry { mdStr } } } } } } } } }
"""


class Demo:
    """The running demo, and what can be seen of it."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], said: Path) -> None:
        self.folder, self.process, self.said = folder, process, said
        self.home = folder / ".salesbot"
        self.ui = until("Dagster's UI", lambda: self.heard(r"Dagster's UI +(http://127\.0\.0\.1:\d+)/locations"))[1]
        until("the end of the first refreshes", lambda: self.heard("Ctrl-C ends everything"))
        lines = shlex.split((self.home / "demo.env").read_text(), posix=True)
        self.variables = dict(line.split("=", 1) for line in lines)
        self.receiver = self.variables["SHOPIFY_REDIRECT_URI"].removesuffix("/shopify/callback")
        self.sandbox = self.variables["SALESBOT_SANDBOX_URL"]

    def heard(self, pattern: str) -> re.Match[str] | None:
        assert self.process.poll() is None, self.said.read_text()
        return re.search(pattern, self.said.read_text())

    def post(self, path: str, **body: object) -> None:
        httpx.post(f"{self.sandbox}/_sandbox/{path}", json=body, trust_env=False).raise_for_status()

    def lift_faults(self) -> None:
        httpx.delete(f"{self.sandbox}/_sandbox/faults", trust_env=False).raise_for_status()

    def salesbot(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "salesbot_pipelines", *arguments]
        environ = {**environment(), **self.variables}
        done = subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def listed(self, shop: str) -> dict[str, object] | None:
        return next(
            (row for row in json.loads(self.salesbot("shops", "list", "--json")) if row["shop"] == shop), None
        )

    def rows(self, statement: str, *values: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(f"file:{self.home}/state.db?mode=ro", uri=True)) as database:
            return database.execute(statement, values).fetchall()

    def objects(self, shop: str) -> list[Path]:
        return [path for path in (self.home / "objects").rglob("*") if shop in path.parts and path.is_file()]

    def prices(self, shop: str) -> set[str]:
        """Give the shop's published prices; this shop's currency has three decimals."""
        found = [path for path in self.objects(shop) if path.name == "shopify_data.json"]
        return {
            variant["price"]["amount"]
            for path in found
            for product in json.loads(path.read_bytes())["products"]
            for variant in product["variants"]
        }

    def first_variant(self, shop: str) -> str:
        lines = next(path for path in self.objects(shop) if path.name == "products.jsonl")
        return json.loads(lines.read_text().partition("\n")[0])["variants"][0]["id"]

    def partitions(self) -> set[str]:
        nodes = {node["assetKey"]["path"][-1]: node for node in ask(self.ui, KNOWN)["assetNodes"]}
        return set(nodes["shopify_data"]["partitionKeys"])

    def ended(self, run: str) -> dict[str, Any] | None:
        """Give the run's status and what its events say, once it has ended."""
        found = ask(self.ui, RUN, id=run)["runOrError"]
        return found if found["status"] in {"SUCCESS", "FAILURE", "CANCELED"} else None

    def fleet_check(self, name: str) -> tuple[bool, str] | None:
        """Look at the fleet once more; give what the check says then."""
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": "salesbot_pipelines",
            "pipelineName": "look_at_fleet",
        }
        launched = ask(self.ui, LAUNCH, params={"selector": selector, "mode": "default", "runConfigData": "{}"})
        run = launched["launchRun"]["run"]["runId"]
        seen = until(f"end of the look at the fleet (run {run})", lambda: self.ended(run))
        assert seen["status"] == "SUCCESS", seen
        nodes = {node["assetKey"]["path"][-1]: node for node in ask(self.ui, CHECKS)["assetNodes"]}
        for check in nodes["fleet"]["assetChecksOrError"]["checks"]:
            if check["name"] == name:
                told = check["executionForLatestMaterialization"]["evaluation"]
                named = next(entry["mdStr"] for entry in told["metadataEntries"] if entry["label"] == "named")
                return told["success"], named
        return None


def environment() -> dict[str, str]:
    """Give this process's environment without our variables: the demo needs none."""
    ours = {variable.name for variable in VARIABLES} | {"DAGSTER_HOME"}
    return {name: value for name, value in os.environ.items() if name not in ours}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    said = folder / "said"
    with said.open("wb") as output:
        command = [sys.executable, "-m", "salesbot_pipelines", "demo"]
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=output, stderr=subprocess.STDOUT)
    try:
        yield Demo(folder, process, said)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert "Traceback" not in said.read_text()


@pytest.fixture(scope="module")
def page():
    with chromium_page() as opened:
        yield opened


def has_title(page, words: str) -> bool:
    return words in page.title()


def log_in(demo: Demo, page) -> None:
    """Log in as the merchant of the shop, through Shopify's grant page, to the status page."""
    page.goto(f"{demo.receiver}/shopify/{SHOP}/login")
    page.get_by_role("button", name="Install app").click()
    page.wait_for_url("**/shopify/status")


def test_requests_about_customers_are_noted_and_answered(demo):
    for topic in PRIVACY:
        demo.post(f"shops/{SHOP}/webhook", topic=topic)
    asked = "SELECT topic, state, note FROM control_events WHERE shop = ? ORDER BY topic"
    found = until("answers to both", lambda: len(rows := demo.rows(asked, SHOP)) == 2 and rows)
    assert found == [(topic, "done", "no data of customers is held") for topic in PRIVACY]


def test_an_uninstall_disconnects_and_keeps_the_document(demo):
    before = demo.objects(SHOP)
    assert before
    demo.post(f"shops/{SHOP}/change", verb="uninstall")
    until("disconnection", lambda: demo.listed(SHOP) is None)
    until("removal of the partition", lambda: SHOP not in demo.partitions())
    assert demo.objects(SHOP) == before
    assert demo.rows("SELECT status FROM installs WHERE shop = ?", SHOP) == [("uninstalled",)]


def test_after_a_redaction_nothing_of_the_shop_is_left_but_the_line_that_says_so(demo):
    # The lease of a refresh that lost its shop must have run out before the objects go; nobody holds one here.
    demo.post(f"shops/{SHOP}/webhook", topic="shop/redact")
    until("deletion of every object", lambda: not demo.objects(SHOP), seconds=300)
    until("forgetting", lambda: not demo.rows("SELECT shop FROM installs WHERE shop = ?", SHOP))
    tables = [name for (name,) in demo.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert "audit" in tables
    holding = set()
    for table in tables:
        for row in demo.rows(f"SELECT * FROM {table}"):
            if any(isinstance(value, str) and SHOP in value for value in row):
                holding.add(table)
    assert holding == {"audit"}
    assert demo.rows("SELECT act FROM audit WHERE shop = ?", SHOP) == [("forgotten",)]
    assert SHOP not in demo.partitions()
    assert OTHER in demo.partitions()


def test_an_install_in_the_browser_ends_at_a_page_that_turns_to_published(demo, page):
    log_in(demo, page)
    keep(page, "merchant-1-installed")
    assert page.get_by_role("heading", level=1).inner_text() == SHOP
    until("a page that says published", lambda: has_title(page, "is published"))
    keep(page, "merchant-2-published")
    assert demo.prices(SHOP)
    # Two sensors see an install: the one that refreshes may be faster than the one that adds the partition.
    until("partition", lambda: SHOP in demo.partitions())


def test_a_price_that_is_changed_on_the_sandboxs_page_is_in_the_document_with_no_further_command(demo, page):
    page.goto(f"{demo.sandbox}/")
    # Drafts stand on the page too, and in no document.
    row = page.locator(f'form:has(input[value="{demo.first_variant(SHOP)}"])')
    row.get_by_role("textbox").fill("4321.000")
    began = time.monotonic()
    row.get_by_role("button").click()
    until("document that shows the price", lambda: "4321.000" in demo.prices(SHOP))
    print(f"published {time.monotonic() - began:.1f} s after the click")


def test_a_dead_refresh_token_is_seen_everywhere_and_a_login_heals_it(demo, page):
    log_in(demo, page)
    # Shopify refuses the access token and gives no other for the refresh token.
    demo.post("faults", action="unauthorized", shop=SHOP, times=None)
    demo.post("faults", action="invalid_grant", shop=SHOP, operation="access_token", times=None)
    changed = {"variant": demo.first_variant(SHOP), "price": "1234.000"}
    demo.post(f"shops/{SHOP}/change", verb="set_price", arguments=changed)
    until("mark in the list of shops", lambda: (demo.listed(SHOP) or {}).get("status") == "needs_reauth")
    assert (demo.listed(OTHER) or {})["status"] == "installed"
    page.goto(f"{demo.receiver}/shopify/status")
    login = page.get_by_role("link", name="Log in with Shopify")
    assert login.count() == 1
    keep(page, "merchant-3-needs-a-login")
    passed, named = demo.fleet_check("none_needing_login")
    assert not passed
    assert SHOP in named
    assert OTHER not in named
    assert "1234.000" not in demo.prices(SHOP)

    demo.lift_faults()
    login.click()
    page.get_by_role("button", name="Install app").click()
    page.wait_for_url("**/shopify/status")
    until("document that has caught up", lambda: "1234.000" in demo.prices(SHOP))
    assert (demo.listed(SHOP) or {})["status"] == "installed"
    assert demo.fleet_check("none_needing_login") == (True, "none")
