"""The shop's webhook subscriptions, mended in passing."""

from __future__ import annotations

import logging

from salesbot_pipelines.errors import ShopifyError
from salesbot_pipelines.shopify.client import AdminClient
from salesbot_pipelines.shopify.webhooks import reconcile_subscriptions

_log = logging.getLogger(__name__)


def mend_subscriptions(client: AdminClient, address: str) -> str:
    """Bring the subscriptions to what they should be and say what was found: Shopify removes those that failed.

    A refresh does not fail for it; what is wrong is logged and shown.
    """
    try:
        done = reconcile_subscriptions(client, address)
    except ShopifyError as error:
        _log.warning("[%s] subscriptions: %s", client.shop, error.public_text)
        return f"not looked at: {error.public_text}"
    counts = {name: len(getattr(done, name)) for name in ("kept", "created", "updated", "removed", "refused")}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)
