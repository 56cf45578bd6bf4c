"""A Shopify product export as a shop: `--catalog FILE.csv`.

An export holds several rows a product: the first carries the product's own fields, each row may add a variant and a
picture. Every product and every variant row becomes exactly one product or variant; prices keep the value they were
written with. What an export does not hold (locations, collections, discounts) is made up or left out.
"""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from .build_collections import add_collection
from .build_parts import media_image, metafield
from .build_products import NewVariant, add_product
from .build_shop import add_location, open_shop
from .clock import Clock
from .shop import Shop
from .tables import Node

Row = dict[str, str]

# Variant Grams is the weight; Variant Weight Unit is only how the merchant likes to see it.
_UNITS = {
    "g": ("GRAMS", Decimal(1)),
    "kg": ("KILOGRAMS", Decimal(1000)),
    "lb": ("POUNDS", Decimal("453.59237")),
    "oz": ("OUNCES", Decimal("28.349523125")),
}


class NotAnExport(ValueError):
    """The file is no Shopify product export."""


@dataclass
class _Group:
    """The rows of one handle."""

    rows: list[Row] = field(default_factory=list)

    def first(self, column: str) -> str:
        """Return a product's own field: it stands in the first row, sometimes only in a later one."""
        return next((row[column] for row in self.rows if row.get(column)), "")

    @property
    def option_names(self) -> list[str]:
        names = [self.first(f"Option{place} Name") for place in (1, 2, 3)]
        return [name for name in names if name]

    @property
    def variant_rows(self) -> list[Row]:
        return [
            row for row in self.rows if row.get("Variant Price") or row.get("Option1 Value") or row.get("Variant SKU")
        ]


def shop_domain(path: Path) -> str:
    """Return the domain an export is served under: `real_shop_bicycles.csv` is real-shop-bicycles.myshopify.com."""
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:60].strip("-")
    return f"{name or 'catalog'}.myshopify.com"


def _groups(rows: Iterable[Row]) -> dict[str, _Group]:
    groups: dict[str, _Group] = {}
    for row in rows:
        if row.get("Handle"):
            groups.setdefault(row["Handle"], _Group()).rows.append(row)
    return groups


def _money(text: str) -> str | None:
    """Return a price as the API writes it: at least two decimals, never rounded."""
    if not text:
        return None
    value = Decimal(text)
    exponent = value.as_tuple().exponent
    return f"{value:.2f}" if isinstance(exponent, int) and exponent > -2 else f"{value:f}"


def _bare(text: str) -> str | None:
    """Return a SKU or barcode without the apostrophe that keeps spreadsheets from reading it as a number."""
    return text.removeprefix("'") or None


def _weight(row: Row) -> tuple[float, str] | None:
    if not row.get("Variant Grams"):
        return None
    unit, factor = _UNITS.get(row.get("Variant Weight Unit", "").lower(), _UNITS["g"])
    return float(round(Decimal(row["Variant Grams"]) / factor, 4)), unit


def _is_true(text: str, default: bool) -> bool:
    return text.strip().lower() == "true" if text.strip() else default


class _Reader:
    """Turns groups of rows into products of one shop."""

    def __init__(self, shop: Shop, location: int) -> None:
        self.shop, self.location = shop, location

    def _media(self, group: _Group) -> dict[str, Node]:
        rows = [row for row in group.rows if row.get("Image Src")]
        rows.sort(key=lambda row: int(row.get("Image Position") or 0))
        pictures: dict[str, Node] = {}
        for row in rows:
            source = row["Image Src"]
            if source not in pictures:
                pictures[source] = media_image(self.shop.next_number(), source, alt=row.get("Image Alt Text") or None)
        return pictures

    def _variant(self, row: Row, options: int, pictures: dict[str, Node]) -> NewVariant:
        source = row.get("Variant Image", "")
        picture = pictures.get(source) or (media_image(self.shop.next_number(), source) if source else None)
        return NewVariant(
            _money(row.get("Variant Price", "")) or "0.00",
            tuple(row.get(f"Option{place} Value", "") for place in range(1, options + 1)),
            sku=_bare(row.get("Variant SKU", "")),
            barcode=_bare(row.get("Variant Barcode", "")),
            compare_at=_money(row.get("Variant Compare At Price", "")),
            stock={self.location: int(row.get("Variant Inventory Qty") or 0)},
            tracked=bool(row.get("Variant Inventory Tracker")),
            policy=(row.get("Variant Inventory Policy") or "deny").upper(),
            weight=_weight(row),
            requires_shipping=_is_true(row.get("Variant Requires Shipping", ""), default=True),
            taxable=_is_true(row.get("Variant Taxable", ""), default=True),
            media=[picture] if picture else [],
        )

    def add(self, handle: str, group: _Group) -> None:
        """Add one product."""
        names = group.option_names
        single = names in ([], ["Title"]) and len(group.variant_rows) == 1
        single = single and group.first("Option1 Value") in ("", "Default Title")
        pictures = self._media(group)
        category = group.first("Google Shopping / Google Product Category")
        google = [
            metafield(self.shop.next_number(), "mm-google-shopping", "google_product_category", "string", category)
        ]
        add_product(
            self.shop,
            group.first("Title"),
            [self._variant(row, 0 if single else max(1, len(names)), pictures) for row in group.variant_rows],
            options=() if single else names or ["Title"],
            handle=handle,
            html=group.first("Body (HTML)"),
            status=(group.first("Status") or "active").upper(),
            published=_is_true(group.first("Published"), default=True),
            media=list(pictures.values()),
            metafields=google if category else [],
            seo=(group.first("SEO Title") or None, group.first("SEO Description") or None),
            vendor=group.first("Vendor"),
            productType=group.first("Type"),
            tags=sorted({tag.strip() for tag in group.first("Tags").split(",") if tag.strip()}),
            isGiftCard=_is_true(group.first("Gift Card"), default=False),
        )


def shop_from_csv(path: Path, clock: Clock, *, domain: str | None = None, currency: str = "USD") -> Shop:
    """Return the shop a product export describes; raises NotAnExport."""
    domain = domain or shop_domain(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if not {"Handle", "Title", "Variant Price"} <= set(reader.fieldnames or ()):
            raise NotAnExport(f"{path.name} has no columns Handle, Title and Variant Price")
        groups = _groups(reader)
    first = 6_000_000_000_000 + zlib.crc32(domain.encode())
    shop = open_shop(domain, clock, currency=currency, first_number=first)
    location = add_location(shop, "Stock room", city="Portland")
    rows = _Reader(shop, location)
    for handle, group in groups.items():
        rows.add(handle, group)
    products = [int(product["legacyResourceId"]) for product in shop.all("products")]
    add_collection(shop, "Everything", products, handle="everything")
    return shop
