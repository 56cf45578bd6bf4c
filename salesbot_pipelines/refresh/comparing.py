"""What changed between the published products and those that are about to be published."""

from __future__ import annotations

from collections.abc import Callable

from salesbot_pipelines.catalog.changes import Change, Changes, all_added, changes
from salesbot_pipelines.refresh.assembly import Assembled
from salesbot_pipelines.refresh.published import made_products, rows, stored_products
from salesbot_pipelines.refresh.publishing import Standing
from salesbot_pipelines.spaces.store import ObjectStore
from salesbot_pipelines.state.explaining import SeenEvents


def compare(
    store: ObjectStore, key: str, standing: Standing, assembled: Assembled, *, seen: Callable[[], SeenEvents | None]
) -> tuple[Changes | None, int | None]:
    """Give the changes against the products under `key`, None when those are not whole enough to compare with.

    The daily refresh also counts the changes that no event told of: drift is what webhooks missed. `seen` gives the
    events, None where drift is not measured.
    """
    manifest = standing.manifest
    if manifest is None:
        return all_added(rows(made_products(assembled.products.path)), assembled.counts["products"]), None
    if not standing.holds(manifest.objects["products"]):
        return None, None
    events = seen()
    unexplained: list[str] = []

    def note(change: Change) -> None:
        if events is not None and not events.explains(f"gid://shopify/Product/{change.legacy_id}"):
            unexplained.append(change.legacy_id)

    before = stored_products(store, key)
    found = changes(rows(before), rows(made_products(assembled.products.path)), note=note)
    return found, None if events is None else len(unexplained)
