"""The demo's walk onto a real gateway over TLS: published there, private there, and fenced there."""

import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from salesbot_pipelines.refresh.manifest import decode_manifest
from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines.settings import SpacesSettings
from salesbot_pipelines.spaces.s3 import SpacesStore, make_client
from salesbot_pipelines_tests.ceph import endpoint_for_tests
from salesbot_pipelines_tests.refresh.children import At, child
from salesbot_pipelines_tests.refresh.kills import AheadClock
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, small_shop, turn
from salesbot_pipelines_tests.rig import open_rig

# Demos are run one after the other: each asks for the same ports first.
pytestmark = [pytest.mark.ceph, pytest.mark.xdist_group("dagster_ui")]
DEMO_SHOPS = {"tiny-teapots.myshopify.com", "awkward-attic.myshopify.com", "large-lamps.myshopify.com"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    return endpoint_for_tests(tmp_path_factory)


@pytest.fixture
def spaces_environ(gateway):
    return {
        "SPACES_REGION": gateway.region,
        "SPACES_ENDPOINT": gateway.endpoint,
        "SPACES_BUCKET": gateway.bucket,
        "SPACES_KEY": gateway.key,
        "SPACES_SECRET": gateway.secret,
        "AWS_CA_BUNDLE": gateway.ca_bundle,
    }


@pytest.fixture
def store(gateway):
    settings = SpacesSettings(gateway.region, gateway.endpoint, gateway.bucket, gateway.key, gateway.secret)
    client = make_client(settings, ca_bundle=Path(gateway.ca_bundle))
    yield SpacesStore(client, gateway.bucket)
    client.close()


def anonymous(gateway, key):
    trusting = ssl.create_default_context(cafile=gateway.ca_bundle)
    return httpx.get(f"{gateway.endpoint}/{gateway.bucket}/{key}", verify=trusting, trust_env=False)


def test_the_demo_publishes_to_the_gateway_and_nobody_else_can_read_it(gateway, spaces_environ, store, tmp_path):
    environ = {**os.environ, **spaces_environ, "SALESBOT_HOME": str(tmp_path / "home")}
    demo = subprocess.run(
        [sys.executable, "-m", "salesbot_pipelines", "demo", "--once"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert f"s3://{gateway.bucket}/users/" in demo.stdout
    assert gateway.secret not in demo.stdout + demo.stderr
    documents = [
        key for key in store.list("users/") if key.endswith("/shopify_data.json") and key.split("/")[3] in DEMO_SHOPS
    ]
    assert {key.split("/")[3] for key in documents} == DEMO_SHOPS
    for key in documents:
        manifest = decode_manifest(store.read(key.replace("shopify_data", "manifest")))
        assert manifest is not None
        head = store.head(key)
        assert head is not None
        assert (head.size, head.metadata["sha256"]) == (manifest.bytes, manifest.sha256)
        assert anonymous(gateway, key).status_code == 403
    assert not (tmp_path / "home" / "objects").exists()


def test_a_refresh_on_the_gateway_is_fenced_and_skips_what_is_the_same(
    gateway, spaces_environ, tmp_path, monkeypatch
):
    monkeypatch.setenv("AWS_CA_BUNDLE", gateway.ca_bundle)
    clock = AheadClock()
    world = World(clock)
    shop = world.add(small_shop(clock))
    shop.bucket.unlimited = True
    with open_rig(tmp_path / "home", world, clock=clock, environ=spaces_environ) as rig:
        rig.connect(shop)
        turn(shop, 0)
        assert rig.publish(DOMAIN).status is Status.PUBLISHED
        assert rig.program.store.conditional
        assert rig.publish(DOMAIN).status is Status.UNCHANGED
        turn(shop, 1)
        with child(
            {**rig.environ, **spaces_environ}, DOMAIN, at=At("put", 10), sign=signal.SIGSTOP, tell=True
        ) as old:
            old.go()
            assert old.hear()[0] == "at"
            old.wait_until_frozen()
            turn(shop, 0)
            clock.turn(seconds=121)
            assert rig.publish(DOMAIN).status is Status.PUBLISHED
            old.thaw()
            assert old.hear()[:2] == ("failed", "LeaseLost")
        assert rig.document(DOMAIN)["shop"]["name"] == "Small 0"
        assert anonymous(gateway, rig.keys(DOMAIN).document).status_code == 403
