"""Small raw nodes to change one thing of, and the shop around them."""

from salesbot_pipelines.catalog.normalise import (
    Findings,
    ShopContext,
    normalise_collection,
    normalise_discount,
    normalise_product,
)


def shop_context(**changes):
    fields = {
        "currency": "USD",
        "url": "https://shop.example",
        "domain": "shop.myshopify.com",
        "location_names": {"gid://shopify/Location/1": "Main"},
        "is_published": lambda gid: True,
    }
    return ShopContext(**(fields | changes))


def raw_variant(number=1, **changes):
    return {
        "id": f"gid://shopify/ProductVariant/{number}",
        "title": "Default Title",
        "position": number,
        "price": "10.00",
        "availableForSale": True,
        "inventoryPolicy": "DENY",
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-02T00:00:00Z",
        "inventoryItem": {"id": f"gid://shopify/InventoryItem/{number}", "tracked": True},
    } | changes


def raw_product(number=1, **changes):
    return {
        "id": f"gid://shopify/Product/{number}",
        "title": "Shirt",
        "handle": "shirt",
        "status": "ACTIVE",
        "publishedAt": "2026-01-01T00:00:00Z",
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-02T00:00:00Z",
        "variants": [raw_variant()],
    } | changes


def raw_levels(*available, item=1, **changes):
    return {
        "id": f"gid://shopify/InventoryItem/{item}",
        "levels": [
            {
                "location": {"id": f"gid://shopify/Location/{number}"},
                "quantities": [{"name": "available", "quantity": pieces}],
            }
            for number, pieces in enumerate(available, 1)
        ],
        "incomplete": False,
    } | changes


def raw_discount(kind="CodeBasic", number=1, **changes):
    node = {
        "__typename": f"Discount{kind}",
        "title": "Ten off",
        "summary": "10% off",
        "status": "ACTIVE",
        "startsAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-02T00:00:00Z",
        "context": {"__typename": "DiscountBuyerSelectionAll"},
    }
    if "Code" in kind:
        node |= {"codes": [{"code": "TEN10"}], "codesCount": {"count": 1, "precision": "EXACT"}}
    if "Basic" in kind:
        node["customerGets"] = {
            "items": {"__typename": "AllDiscountItems", "allItems": True},
            "value": {"__typename": "DiscountPercentage", "percentage": 0.1},
        }
    owner = "DiscountCodeNode" if "Code" in kind else "DiscountAutomaticNode"
    return {"id": f"gid://shopify/{owner}/{number}", "discount": node | changes}


def raw_collection(number=1, **changes):
    return {
        "id": f"gid://shopify/Collection/{number}",
        "title": "Summer",
        "handle": "summer",
        "sortOrder": "PRICE_ASC",
        "productsCount": {"count": 1, "precision": "EXACT"},
        "sources": [],
        "updatedAt": "2026-01-02T00:00:00Z",
        "product_ids": ["gid://shopify/Product/1"],
    } | changes


def publish(raw, *, levels=None, collection_ids=(), shop=None, findings=None):
    """Normalise a product; `levels` is one raw levels record for every item, or None."""
    return normalise_product(
        raw,
        shop or shop_context(),
        levels=lambda _: levels,
        collection_ids=collection_ids,
        findings=Findings() if findings is None else findings,
    )


def publish_variant(raw=None, *, levels=None, findings=None, shop=None, **product_changes):
    """Normalise a product of one variant, and return that variant."""
    product = publish(
        raw_product(variants=[raw_variant() if raw is None else raw], **product_changes),
        levels=levels,
        findings=findings,
        shop=shop,
    )
    return product.variants[0]


def publish_discount(kind="CodeBasic", *, findings=None, shop=None, **changes):
    return normalise_discount(
        raw_discount(kind, **changes), shop or shop_context(), Findings() if findings is None else findings
    )


def publish_collection(*, findings=None, shop=None, **changes):
    return normalise_collection(
        raw_collection(**changes), shop or shop_context(), Findings() if findings is None else findings
    )


def sections(findings):
    """Return what the findings name, and why, without their words."""
    return [(one.section, one.reason) for one in findings.omissions()]
