"""One product with its variants."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

from salesbot_pipelines.catalog.model import Category, PriceRange, Product, Seo
from salesbot_pipelines.catalog.normalise.availability import best_of
from salesbot_pipelines.catalog.normalise.context import Levels, Raw, ShopContext
from salesbot_pipelines.catalog.normalise.findings import Findings, Unusable
from salesbot_pipelines.catalog.normalise.media import normalise_media
from salesbot_pipelines.catalog.normalise.metafield import normalise_metafields
from salesbot_pipelines.catalog.normalise.moment import EPOCH, moment
from salesbot_pipelines.catalog.normalise.money import Priced
from salesbot_pipelines.catalog.normalise.option import normalise_options
from salesbot_pipelines.catalog.normalise.raw import (
    connection,
    exact_count,
    ids_in_order,
    key_of,
    lower,
    text,
    uri,
)
from salesbot_pipelines.catalog.normalise.text import description
from salesbot_pipelines.catalog.normalise.url import page_url
from salesbot_pipelines.catalog.normalise.variant import Found, OfProduct, normalise_variant, whole

_STATUSES: dict[Any, Literal["active", "draft", "archived", "unlisted"]] = {
    "ACTIVE": "active",
    "ARCHIVED": "archived",
    "DRAFT": "draft",
    "UNLISTED": "unlisted",
}
_SHOWN = ("active", "unlisted")


def is_sellable(raw: Raw, statuses: Collection[str]) -> bool:
    """Say whether a raw product belongs into the document: one of `statuses` (lower case) and published.

    Drafts and archived products are unpublished by definition: where they are wanted, publishing is not asked for.
    `onlineStoreUrl` is no sign: it was null for a published product of a development shop.
    """
    status = lower(raw.get("status"))
    return status in statuses and (status not in _SHOWN or raw.get("publishedAt") is not None)


def normalise_product(
    raw: Raw,
    context: ShopContext,
    *,
    levels: Callable[[str], Levels | None],
    collection_ids: Sequence[str],
    findings: Findings,
) -> Product:
    """Return a raw product as it is published, its content_hash still empty (`hashing.seal_product` fills it).

    `levels` answers for an inventory item's gid, None where stock was not granted or not read. `Unusable` says that
    the product has no id, or no variant that could be sold.
    """
    key = key_of(raw)
    if key is None:
        raise Unusable("/products", f"a product has no Shopify id: {raw.get('title') or raw.get('handle')!r}")
    gid, digits = key
    pointer = f"/products/{digits}"
    published_at = moment(raw.get("publishedAt"))
    status = _STATUSES.get(raw.get("status"))
    if status is None:
        findings.add(f"{pointer}/status", "error", f"unknown status {raw.get('status')!r}, published as draft")
        status = "draft"
    handle = raw.get("handle") or ""
    url = _url(raw, handle, context) if published_at else None
    variants, variants_complete = _variants(
        raw, OfProduct(pointer, status, published_at is not None and status in _SHOWN, url), context, levels, findings
    )
    category = raw.get("category") or {}
    seo = raw.get("seo") or {}
    created_at = moment(raw.get("createdAt"))
    updated_at = moment(raw.get("updatedAt")) or created_at
    if updated_at is None:
        findings.add(f"{pointer}/updated_at", "error", "Shopify gave no time")
        updated_at = EPOCH
    return Product(
        availability=best_of([found[0].availability for found in variants]),
        categories=_categories(category),
        collection_ids=ids_in_order(collection_ids),
        content_hash="",
        created_at=created_at or updated_at,
        description=description(raw.get("descriptionHtml")),
        gift_card=raw.get("isGiftCard") is True,
        handle=handle,
        id=gid,
        legacy_id=digits,
        list_price_range=_list_price_range(variants),
        media=normalise_media(whole(raw, "media", pointer, findings)),
        metadata=normalise_metafields(whole(raw, "metafields", pointer, findings)),
        options=normalise_options(raw.get("options")),
        price_range=_range([found[1] for found in variants]),
        product_type=text(raw.get("productType")),
        published_at=published_at,
        seo=Seo(description=text(seo.get("description")), title=text(seo.get("title"))),
        status=status,
        tags=sorted({tag for tag in raw.get("tags") or () if tag}),
        title=raw.get("title") or "",
        updated_at=updated_at,
        url=url,
        variants=[found[0] for found in variants],
        variants_complete=variants_complete,
        vendor=text(raw.get("vendor")),
    )


def _variants(
    raw: Raw,
    product: OfProduct,
    context: ShopContext,
    levels: Callable[[str], Levels | None],
    findings: Findings,
) -> tuple[list[Found], bool]:
    nodes, complete = connection(raw, "variants")
    by_id: dict[str, tuple[int, int, Found]] = {}
    for rank, node in enumerate(nodes, 1):
        found = normalise_variant(node, rank, product, context, levels, findings)
        if found is None:
            complete = False
        else:
            digits = found[0].legacy_id
            by_id.setdefault(digits, (found[0].position, int(digits), found))
    if not by_id:
        raise Unusable(product.pointer, f"none of its {len(nodes)} variants can be sold: no id, or no price")
    wanted = exact_count(raw.get("variantsCount"))
    if not complete or (wanted is not None and wanted != len(by_id)):
        complete = False
        of_all = "more" if wanted is None else wanted
        findings.add(f"{product.pointer}/variants", "truncated", f"{len(by_id)} of {of_all} variants could be used")
    return [found for _, _, found in sorted(by_id.values())], complete


def _url(raw: Raw, handle: str, context: ShopContext) -> str | None:
    return uri(raw.get("onlineStoreUrl")) or page_url(context.url, "products", handle)


def _categories(raw: dict[str, Any]) -> list[Category]:
    path = text(raw.get("fullName"))
    return [] if path is None else [Category(id=text(raw.get("id")), taxonomy="shopify", value=path)]


def _range(prices: list[Priced]) -> PriceRange:
    low = high = prices[0]
    for price in prices:
        if price[0] < low[0]:
            low = price
        elif price[0] > high[0]:
            high = price
    return PriceRange(max=high[1], min=low[1])


def _list_price_range(variants: list[Found]) -> PriceRange | None:
    if all(list_price is None for _, _, list_price in variants):
        return None
    return _range([list_price or price for _, price, list_price in variants])
