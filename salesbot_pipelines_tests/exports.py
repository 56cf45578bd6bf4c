"""What a Shopify product export says, read independently of the sandbox: the oracle of the export tests."""

import csv
from decimal import Decimal
from pathlib import Path


def expected_of_export(path: Path) -> dict[str, dict]:
    """Give each sellable product of the file with its variants: exact prices, SKU, stock and options."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    by_handle: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_handle.setdefault(row["Handle"], []).append(row)
    return {
        handle: {
            "title": _first(group, "Title"),
            "variants": [_variant(group, row) for row in group if _is_variant(row)],
        }
        for handle, group in by_handle.items()
        if _first(group, "Published").lower() != "false"
    }


def _first(group, column):
    return next((row[column] for row in group if row.get(column)), "")


def _is_variant(row):
    return bool(row["Variant Price"] or row["Option1 Value"] or row["Variant SKU"])


def _variant(group, row):
    price = Decimal(row["Variant Price"] or "0")
    compare = Decimal(row["Variant Compare At Price"]) if row["Variant Compare At Price"] else None
    tracked = row["Variant Inventory Tracker"] == "shopify"
    return {
        "options": _options(group, row),
        "sku": row["Variant SKU"].lstrip("'") or None,
        "price": _money(price),
        "list_price": _money(compare) if compare is not None and compare > price else None,
        "tracked": tracked,
        "available": int(row["Variant Inventory Qty"] or 0) if tracked else None,
        "policy": row["Variant Inventory Policy"] or "deny",
    }


def _options(group, row):
    names = [_first(group, f"Option{place} Name") for place in (1, 2, 3)]
    values = [row[f"Option{place} Value"] for place in (1, 2, 3)]
    return {name: value for name, value in zip(names, values, strict=True) if name and value}


def _money(amount):
    """Two places at least; what is finer stays."""
    text = format(amount.normalize(), "f")
    whole, _, cents = text.partition(".")
    return f"{whole}.{cents.ljust(2, '0')}"
