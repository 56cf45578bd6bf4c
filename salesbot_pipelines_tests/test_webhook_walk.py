"""The second walk: a price is changed at Shopify, the document follows, and nobody asked for it.

The receiver is a process of its own, the sandbox sends real signed deliveries, and the due shop is refreshed by what
the sensor calls. Dagster's part stands in defs/.
"""

import os
import subprocess
import sys
import time

import httpx
import pytest

from salesbot_pipelines.cli.install import install_through_browser_routes
from salesbot_pipelines.cli.processes import free_port
from salesbot_pipelines.sandbox.demo_teapots import tiny_teapots
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines_tests.rig import open_rig

SHOP = "tiny-teapots.myshopify.com"


def _wait(what, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


@pytest.fixture
def walk(tmp_path):
    """The program, the sandbox, and a receiver process with the shop installed through its real routes."""
    port = free_port()
    door = f"http://127.0.0.1:{port}"
    environ = {
        "SHOPIFY_REDIRECT_URI": f"{door}/shopify/callback",
        "SHOPIFY_WEBHOOK_ADDRESS": f"{door}/shopify/webhook",
        "SALESBOT_EVENT_WAIT_SECONDS": "0",
    }
    world = World()
    world.add(tiny_teapots(world.clock))
    with open_rig(tmp_path / "home", world, environ=environ) as rig:
        command = [sys.executable, "-m", "salesbot_pipelines", "receiver", "--port", str(port)]
        log = (tmp_path / "receiver.log").open("wb")
        receiver = subprocess.Popen(command, env={**os.environ, **rig.environ}, stdout=log, stderr=log)
        try:
            _wait(lambda: _answers(f"{door}/healthz") or receiver.poll() is not None)
            install_through_browser_routes(SHOP, receiver=door)
            yield rig
        finally:
            receiver.terminate()
            receiver.wait(15)
            log.close()


def _answers(url):
    try:
        return httpx.get(url, trust_env=False, timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def _refresh_due(rig):
    """Do what one tick of the sensor and its run do."""
    due = rig.program.reserve_due(limit=10, seconds=60)
    return rig.refresh(*(one.shop for one in due), trigger="webhook")


def test_a_changed_price_reaches_the_document(walk):
    rig = walk
    assert _refresh_due(rig)[SHOP].ok  # the install itself has made the shop due
    assert not rig.program.reserve_due(limit=10, seconds=60)
    before = rig.document(SHOP)
    variant = before["products"][0]["variants"][0]["id"]

    rig.world.shop(SHOP).set_price(variant, "43.21")
    _wait(lambda: rig.program.work.status(SHOP).wanted > rig.program.work.status(SHOP).done)
    outcome = _wait(lambda: _refresh_due(rig))[SHOP]

    assert outcome.ok
    after = rig.document(SHOP)
    assert after["source"]["trigger"] == "webhook"
    assert after["products"][0]["variants"][0]["price"]["amount"] == "43.21"
    assert after["revision"] != before["revision"]
    status = rig.program.work.status(SHOP)
    assert status.done == status.wanted


def test_an_event_during_a_refresh_leaves_the_shop_due(walk):
    rig = walk
    assert _refresh_due(rig)[SHOP].ok
    variant = rig.document(SHOP)["products"][0]["variants"][0]["id"]
    rig.program.work.want(SHOP)
    # The change comes when the products have been read already.
    rig.server.sandbox.faults.add(
        "change", shop=SHOP, operation="Locations", change=lambda shop: shop.set_price(variant, "12.12")
    )
    assert _refresh_due(rig)[SHOP].ok
    assert _price(rig) != "12.12"
    _wait(lambda: rig.program.work.status(SHOP).wanted > rig.program.work.status(SHOP).done)
    assert _wait(lambda: _refresh_due(rig))[SHOP].ok
    assert _price(rig) == "12.12"
    status = rig.program.work.status(SHOP)
    assert status.wanted == status.done


def _price(rig):
    return rig.document(SHOP)["products"][0]["variants"][0]["price"]["amount"]
