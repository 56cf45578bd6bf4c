"""Credentials and shops that the tests of installs connect."""

from __future__ import annotations

from datetime import UTC, datetime

from salesbot_pipelines.state.installs import Credential, Install, Installs

SHOP, OTHER = "one.myshopify.com", "two.myshopify.com"
LATER = datetime(2027, 1, 1, tzinfo=UTC)
PAIR = Credential(
    kind="pair", access_token="shpat_a", expires_at=LATER, refresh_token="shprt_a", refresh_expires_at=LATER
)
NEXT = Credential(kind="pair", access_token="shpat_b", expires_at=LATER, refresh_token="shprt_b")
STATIC = Credential(kind="static", access_token="shpat_s")


def connected(installs: Installs, shop: str = SHOP, credential: Credential = PAIR) -> Install:
    return installs.connect(shop, credential, owner=None, scopes=["read_products", "read_locations"])
