"""Which field needs which access scope. `write_x` holds `read_x`; unlisted fields need none."""

from __future__ import annotations

from collections.abc import Collection

_ROOTS = {
    "read_products": "product products productVariant productVariants collection collections "
    "productsCount productVariantsCount collectionsCount",
    "read_inventory": "inventoryItem inventoryItems inventoryLevel",
    "read_locations": "location locations locationsCount",
    "read_discounts": "discountNode discountNodes discountNodesCount discountCodesCount",
    "read_locales": "shopLocales",
}
_FIELDS = {
    ("Shop", "shopPolicies"): "read_legal_policies",
    ("Location", "name"): "read_locations",
    ("Location", "address"): "read_locations",
    ("InventoryItem", "inventoryLevels"): "read_inventory",
    ("InventoryItem", "inventoryLevel"): "read_inventory",
    ("InventoryItem", "locationsCount"): "read_inventory",
    ("InventoryItem", "unitCost"): "read_inventory",
    ("Location", "inventoryLevels"): "read_inventory",
    ("Location", "inventoryLevel"): "read_inventory",
    ("DiscountMarkets", "markets"): "read_markets",
    ("DiscountCustomers", "customers"): "read_customers",
    ("DiscountCustomerSegments", "segments"): "read_customers",
}
_FIELDS.update({("QueryRoot", name): scope for scope, names in _ROOTS.items() for name in names.split()})

NODE_SCOPES = {
    "Product": "read_products",
    "ProductVariant": "read_products",
    "Collection": "read_products",
    "InventoryItem": "read_products",
    "InventoryLevel": "read_inventory",
    "Location": "read_inventory",
    "DiscountNode": "read_discounts",
}

DEFAULT_SCOPES = (
    "read_products",
    "read_inventory",
    "read_locations",
    "read_discounts",
    "read_legal_policies",
    "read_locales",
)


def required_scope(type_name: str, field_name: str) -> str | None:
    """Return the scope a field needs, or None."""
    return _FIELDS.get((type_name, field_name))


def is_granted(granted: Collection[str], scope: str) -> bool:
    """Say whether the granted scopes hold `scope`."""
    return scope in granted or (scope.startswith("read_") and f"write_{scope[5:]}" in granted)
