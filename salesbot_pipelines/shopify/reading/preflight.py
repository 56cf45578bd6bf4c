"""What is asked before anything is read: what the app may do in the shop, and how much there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from salesbot_pipelines.errors import NeedsReauth, ShopifyUnavailable, WrongApiVersion
from salesbot_pipelines.shopify.client import AdminClient
from salesbot_pipelines.shopify.queries import load
from salesbot_pipelines.shopify.reading.connections import exact
from salesbot_pipelines.shopify.scopes import holds


@dataclass(frozen=True)
class Preflight:
    """The version that answers, the scopes that are granted, and Shopify's counts where they are exact."""

    api_version: str
    scopes: frozenset[str]
    counts: dict[str, int | None]


def read_preflight(client: AdminClient) -> Preflight:
    """Ask for it. Raises `NeedsReauth` without read_products, `WrongApiVersion` when no version is told."""
    answer = client.execute(load("preflight"))
    if not answer.api_version:
        raise WrongApiVersion(f"{client.shop} does not tell which API version answered", shop=client.shop)
    scopes = scopes_in(answer.data, client.shop)
    if not holds(scopes, "read_products"):
        raise NeedsReauth(f"{client.shop} has not granted read_products", shop=client.shop)
    counts = {name: exact(answer.data.get(name)) for name in ("products", "variants", "collections")}
    if holds(scopes, "read_discounts"):
        more = client.execute(load("preflight_discounts"))
        counts |= {name: exact(more.data.get(name)) for name in ("discounts", "codes")}
    return Preflight(answer.api_version, scopes, counts)


def scopes_in(data: Mapping[str, Any], shop: str) -> frozenset[str]:
    """Return the scopes that an answer tells. Raises `ShopifyUnavailable` when it tells none."""
    installation = data.get("currentAppInstallation")
    if not isinstance(installation, dict):
        raise ShopifyUnavailable(f"{shop} did not tell the app's scopes", shop=shop)
    return frozenset(scope["handle"] for scope in installation["accessScopes"])
