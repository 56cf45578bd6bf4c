"""Builds products with their variants, stock and media, complete in every field the schema knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .build_parts import BORN, money
from .ids import gid
from .shop_tables import ShopTables
from .tables import Node


@dataclass
class NewVariant:
    """What a test or a demo says about a variant; prices are written as the merchant typed them."""

    price: str
    options: tuple[str, ...] = ()
    sku: str | None = None
    barcode: str | None = None
    compare_at: str | None = None
    stock: Mapping[int, int] | None = None  # location number -> available; None: stocked nowhere
    tracked: bool = True
    policy: str = "DENY"
    weight: tuple[float, str] | None = None
    requires_shipping: bool = True
    taxable: bool = True
    unit: tuple[str, str, float, int, str] | None = None  # type, unit, quantity, per, reference unit
    media: Sequence[Node] = ()
    metafields: Sequence[Node] = ()
    number: int | None = None
    item_number: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def level(item: int, location: int, available: int, at: str = BORN) -> Node:
    """Return an InventoryLevel; its id carries a query, as Shopify's does."""
    return {
        "__typename": "InventoryLevel",
        "id": f"gid://shopify/InventoryLevel/{location}?inventory_item_id={item}",
        "isActive": True,
        "canDeactivate": True,
        "createdAt": BORN,
        "updatedAt": at,
        "_item": item,
        "_location": location,
        "_quantities": {"available": available, "on_hand": available, "committed": 0, "incoming": 0},
    }


def inventory_item(number: int, variant: int, spec: NewVariant, at: str = BORN) -> Node:
    """Return an InventoryItem with its levels."""
    weight = None
    if spec.weight is not None:
        weight = {"__typename": "Weight", "value": spec.weight[0], "unit": spec.weight[1]}
    return {
        "__typename": "InventoryItem",
        "id": gid("InventoryItem", number),
        "legacyResourceId": str(number),
        "sku": spec.sku,
        "tracked": spec.tracked,
        "requiresShipping": spec.requires_shipping,
        "measurement": {
            "__typename": "InventoryItemMeasurement",
            "id": gid("InventoryItemMeasurement", number),
            "weight": weight,
        },
        "unitCost": None,
        "countryCodeOfOrigin": None,
        "provinceCodeOfOrigin": None,
        "harmonizedSystemCode": None,
        "duplicateSkuCount": 0,
        "createdAt": BORN,
        "updatedAt": at,
        "_variant": variant,
        "inventoryLevels": [level(number, place, count, at) for place, count in (spec.stock or {}).items()],
    }


def variant_node(
    product: int,
    number: int,
    item: Node,
    position: int,
    names: Sequence[str],
    title: str,
    spec: NewVariant,
    currency: str,
) -> Node:
    """Return a ProductVariant around its inventory item."""
    quantity = sum(entry["_quantities"]["available"] for entry in item["inventoryLevels"])
    measure, price = None, None
    if spec.unit is not None:
        kind, unit, amount, per, reference = spec.unit
        measure = {
            "__typename": "UnitPriceMeasurement",
            "measuredType": kind,
            "quantityUnit": unit,
            "quantityValue": amount,
            "referenceUnit": reference,
            "referenceValue": per,
        }
        price = money(f"{Decimal(spec.price) / Decimal(str(amount)) * per:.2f}", currency)
    options = spec.options or ("Default Title",)
    node: Node = {
        "__typename": "ProductVariant",
        "id": gid("ProductVariant", number),
        "legacyResourceId": str(number),
        "title": " / ".join(options),
        "displayName": f"{title} - {' / '.join(options)}",
        "sku": spec.sku,
        "barcode": spec.barcode,
        "position": position,
        "price": spec.price,
        "compareAtPrice": spec.compare_at,
        "unitPrice": price,
        "unitPriceMeasurement": measure,
        "showUnitPrice": spec.unit is not None,
        "inventoryPolicy": spec.policy,
        "taxable": spec.taxable,
        "requiresComponents": False,
        "selectedOptions": [
            {"__typename": "SelectedOption", "name": name, "value": value}
            for name, value in zip(names, options, strict=True)
        ],
        "createdAt": BORN,
        "updatedAt": item["updatedAt"],
        "inventoryItem": item,
        "media": list(spec.media),
        "metafields": list(spec.metafields),
        "_product": product,
    }
    set_quantity(node, quantity)
    return {**node, **spec.extra}


def set_quantity(variant: Node, quantity: int) -> None:
    """Write what follows from a variant's stock: quantity, sellable quantity, availability."""
    free = not variant["inventoryItem"]["tracked"] or variant["inventoryPolicy"] == "CONTINUE"
    variant["inventoryQuantity"] = quantity
    variant["sellableOnlineQuantity"] = quantity
    variant["availableForSale"] = free or quantity > 0


def options_of(product: int, names: Sequence[str], variants: Sequence[Node]) -> list[Node]:
    """Return the ProductOptions, their values in the order in which the variants use them."""
    result = []
    for place, name in enumerate(names):
        values = list(dict.fromkeys(variant["selectedOptions"][place]["value"] for variant in variants))
        result.append(
            {
                "__typename": "ProductOption",
                "id": gid("ProductOption", product * 10 + place),
                "name": name,
                "position": place + 1,
                "values": values,
                "optionValues": [
                    {
                        "__typename": "ProductOptionValue",
                        "id": gid("ProductOptionValue", product * 1000 + place * 100 + order),
                        "name": value,
                        "hasVariants": True,
                    }
                    for order, value in enumerate(values)
                ],
            }
        )
    return result


def summarise(product: Node, currency: str) -> None:
    """Write what follows from a product's variants and media: counts, price ranges, stock."""
    variants = product["variants"]
    prices = sorted((Decimal(variant["price"]) for variant in variants), key=lambda price: price)
    compared = sorted(Decimal(v["compareAtPrice"]) for v in variants if v["compareAtPrice"] is not None)
    product["priceRangeV2"] = {
        "__typename": "ProductPriceRangeV2",
        "minVariantPrice": money(str(prices[0] if prices else 0), currency),
        "maxVariantPrice": money(str(prices[-1] if prices else 0), currency),
    }
    product["compareAtPriceRange"] = compared and {
        "__typename": "ProductCompareAtPriceRange",
        "minVariantCompareAtPrice": money(str(compared[0]), currency),
        "maxVariantCompareAtPrice": money(str(compared[-1]), currency),
    }
    product["compareAtPriceRange"] = product["compareAtPriceRange"] or None
    product["variantsCount"] = {"__typename": "Count", "count": len(variants), "precision": "EXACT"}
    product["mediaCount"] = {"__typename": "Count", "count": len(product["media"]), "precision": "EXACT"}
    product["tracksInventory"] = any(variant["inventoryItem"]["tracked"] for variant in variants)
    product["totalInventory"] = sum(v["inventoryQuantity"] for v in variants if v["inventoryItem"]["tracked"])


def add_product(
    shop: ShopTables,
    title: str,
    variants: Sequence[NewVariant],
    *,
    options: Sequence[str] = (),
    handle: str | None = None,
    html: str = "",
    status: str = "ACTIVE",
    published: bool = True,
    number: int | None = None,
    media: Sequence[Node] = (),
    metafields: Sequence[Node] = (),
    seo: tuple[str | None, str | None] = (None, None),
    at: str = BORN,
    **fields: Any,
) -> Node:
    """Add a product to a shop and return its node; `fields` are further API fields, such as vendor or tags."""
    number = number or shop.next_number()
    names = list(options) or ["Title"]
    handle = (
        handle or "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split()) or f"product-{number}"
    )
    live = published and status in ("ACTIVE", "UNLISTED")
    nodes = []
    for position, spec in enumerate(variants, start=1):
        variant_number = spec.number or shop.next_number()
        item_number = spec.item_number or shop.next_number()
        item = inventory_item(item_number, variant_number, spec, at)
        nodes.append(variant_node(number, variant_number, item, position, names, title, spec, shop.currency))
        shop.variants.put(variant_number, nodes[-1])
        shop.items.put(item_number, item)
    product: Node = {
        "__typename": "Product",
        "id": gid("Product", number),
        "legacyResourceId": str(number),
        "title": title,
        "handle": handle,
        "descriptionHtml": html,
        "status": status,
        "vendor": shop.node["name"],
        "productType": "",
        "category": None,
        "tags": [],
        "options": options_of(number, names, nodes),
        "hasOnlyDefaultVariant": not options and len(nodes) == 1,
        "isGiftCard": False,
        "requiresSellingPlan": False,
        "combinedListingRole": None,
        "templateSuffix": None,
        "seo": {"__typename": "SEO", "title": seo[0], "description": seo[1]},
        "onlineStoreUrl": f"{shop.node['url']}/products/{handle}" if live else None,
        "publishedAt": BORN if live else None,
        "createdAt": BORN,
        "updatedAt": at,
        "media": list(media),
        "variants": nodes,
        "metafields": list(metafields),
        **fields,
    }
    summarise(product, shop.currency)
    shop.products.put(number, product)
    return product
