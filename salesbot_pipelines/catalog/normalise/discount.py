"""One discount of any of Shopify's eight types."""

from __future__ import annotations

from typing import Any, Literal

from salesbot_pipelines.catalog.model import (
    CombinesWith,
    Discount,
    Effect,
    Items,
    Minimum,
    MinimumQuantity,
    MinimumSubtotal,
)
from salesbot_pipelines.catalog.normalise.codes import AUTOMATIC, MOST_TOLD, judge_codes, safe_texts
from salesbot_pipelines.catalog.normalise.context import Raw, ShopContext
from salesbot_pipelines.catalog.normalise.effect import (
    app_effect,
    basic_effect,
    buy_x_get_y_effect,
    free_shipping_effect,
)
from salesbot_pipelines.catalog.normalise.findings import Findings, Unusable
from salesbot_pipelines.catalog.normalise.items import normalise_items
from salesbot_pipelines.catalog.normalise.moment import EPOCH, moment
from salesbot_pipelines.catalog.normalise.money import money_v2
from salesbot_pipelines.catalog.normalise.raw import flag, integer, key_of, lower, text

_METHODS: dict[str, Literal["code", "automatic"]] = {"Automatic": "automatic", "Code": "code"}
_KINDS = ("App", "Basic", "Bxgy", "FreeShipping")
_TYPES = {f"Discount{method}{kind}": (_METHODS[method], kind) for method in _METHODS for kind in _KINDS}
_STATUSES: dict[Any, Literal["active", "scheduled", "expired"]] = {
    "ACTIVE": "active",
    "EXPIRED": "expired",
    "SCHEDULED": "scheduled",
}


def normalise_discount(raw: Raw, context: ShopContext, findings: Findings) -> Discount:
    """Return {"id": node gid, "discount": node} as it is published.

    `Unusable` says that it has no id, or is of a type this program does not know: then nothing may be told of it.
    """
    key = key_of(raw)
    if key is None:
        raise Unusable("/discounts", "a discount has no Shopify id")
    gid, digits = key
    pointer = f"/discounts/{digits}"
    node: Raw = raw.get("discount") or {}
    if node.get("__typename") not in _TYPES:
        raise Unusable(pointer, f"unknown type of discount: {node.get('__typename')!r}")
    method, kind = _TYPES[node["__typename"]]
    undrained = (*(raw.get("incomplete") or ()), *(node.get("incomplete") or ()))
    status = _status(node, pointer, findings)
    # Markets are neither customers nor segments, yet not everybody either.
    is_public = (node.get("context") or {}).get("__typename") == "DiscountBuyerSelectionAll"
    codes = AUTOMATIC
    if method == "code":
        codes = judge_codes(
            node, is_public=is_public, is_active=status == "active", incomplete=_names(undrained, "codes")
        )
        if not codes.all_read and (codes.count is None or codes.count <= MOST_TOLD):
            # Of more nothing would be told anyway.
            findings.add(f"{pointer}/codes", "truncated", f"{len(codes.read)} of its codes were read")
    title, summary = safe_texts(text(node.get("title")), text(node.get("summary")), codes)
    effect, items = _effect_and_items(kind, node, context, pointer, findings, undrained)
    # Basic and Bxgy hold these two inside customerGets, the other types on the discount itself.
    applies = (node.get("customerGets") or {}) if kind in ("Basic", "Bxgy") else node
    combines = node.get("combinesWith") or {}
    updated_at = moment(node.get("updatedAt")) or moment(node.get("createdAt")) or moment(node.get("startsAt"))
    if updated_at is None:
        findings.add(f"{pointer}/updated_at", "error", "Shopify gave no time")
        updated_at = EPOCH
    return Discount(
        applies_on_one_time_purchase=flag(applies.get("appliesOnOneTimePurchase")),
        applies_on_subscription=flag(applies.get("appliesOnSubscription")),
        audience="all" if is_public else "restricted",
        classes=sorted({name.lower() for name in node.get("discountClasses") or () if name}),
        codes=list(codes.told),
        codes_count=codes.count,
        codes_withheld=codes.withheld,
        combines_with=CombinesWith(
            order=combines.get("orderDiscounts") is True,
            product=combines.get("productDiscounts") is True,
            shipping=combines.get("shippingDiscounts") is True,
        ),
        effect=effect,
        ends_at=moment(node.get("endsAt")),
        id=gid,
        items=items,
        legacy_id=digits,
        method=method,
        minimum=_minimum(node.get("minimumRequirement"), context, pointer, findings),
        once_per_customer=flag(node.get("appliesOncePerCustomer")) if method == "code" else None,
        starts_at=moment(node.get("startsAt")),
        status=status,
        summary=summary,
        title=title,
        updated_at=updated_at,
        usage_count=integer(node.get("asyncUsageCount")),
        usage_limit=integer(node.get("usageLimit")),
    )


def _status(node: Raw, pointer: str, findings: Findings) -> Literal["active", "scheduled", "expired"]:
    status = _STATUSES.get(node.get("status"))
    if status is None:
        findings.add(
            f"{pointer}/status", "error", f"unknown status {lower(node.get('status'))!r}, published as expired"
        )
        return "expired"
    return status


def _effect_and_items(
    kind: str, node: Raw, context: ShopContext, pointer: str, findings: Findings, undrained: tuple[str, ...]
) -> tuple[Effect, Items | None]:
    if kind == "App":
        return app_effect(node), None
    if kind == "FreeShipping":
        return free_shipping_effect(node, context, pointer, findings), None
    gets_undrained = _names(undrained, "items", "products", "productVariants", "collections", not_of="customerBuys")
    if kind == "Basic":
        items = normalise_items(node.get("customerGets"), context, pointer, findings, incomplete=gets_undrained)
        return basic_effect(node, context, pointer, findings), items
    buys_undrained = _names(undrained, "items", "products", "productVariants", "collections", not_of="customerGets")
    bought = normalise_items(
        node.get("customerBuys"), context, f"{pointer}/effect/buy", findings, incomplete=buys_undrained
    )
    got = normalise_items(
        node.get("customerGets"), context, f"{pointer}/effect/get", findings, incomplete=gets_undrained
    )
    return buy_x_get_y_effect(node, context, pointer, findings, bought=bought, got=got), None


def _names(undrained: tuple[str, ...], *connections: str, not_of: str = "") -> bool:
    """Say whether one of the connections is named, bare or with its path: `codes`, `customerGets.items.products`.

    `discount` says that something inside it is missing, which may be any of them.
    """
    return any(
        name.rpartition(".")[2] in (*connections, "discount") and not (not_of and name.startswith(f"{not_of}."))
        for name in undrained
    )


def _minimum(raw: Any, context: ShopContext, pointer: str, findings: Findings) -> Minimum | None:
    if not raw:
        return None
    quantity = integer(raw.get("greaterThanOrEqualToQuantity"))
    if quantity is not None:
        return MinimumQuantity(quantity)
    amount = money_v2(raw.get("greaterThanOrEqualToSubtotal"), context.currency)
    if amount is not None:
        return MinimumSubtotal(amount)
    findings.add(f"{pointer}/minimum", "error", "there is a minimum, and it could not be read")
    return None
