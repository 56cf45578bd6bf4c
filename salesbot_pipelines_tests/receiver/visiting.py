"""A browser with a session, and a document as a refresh would have published it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from salesbot_pipelines.catalog.model import Generator, Source
from salesbot_pipelines.receiver.cookies import SESSION
from salesbot_pipelines.refresh.manifest import MANIFEST_SCHEMA, Manifest, encode_manifest, timestamp
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines_tests.receiver.harness import SHOP


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
