"""Builds the small objects that products, collections and discounts share: money, images, media, metafields."""

from __future__ import annotations

from decimal import Decimal

from .ids import gid
from .tables import Node

BORN = "2026-01-05T08:00:00Z"


def money(amount: str, currency: str) -> Node:
    """Return a MoneyV2; its amount is written shorter than a price: "10.0" beside "10.00"."""
    text = f"{Decimal(amount).normalize():f}"
    return {"__typename": "MoneyV2", "amount": text if "." in text else text + ".0", "currencyCode": currency}


def image(
    number: int, url: str, *, alt: str | None = None, width: int | None = 1200, height: int | None = 1200
) -> Node:
    """Return an Image."""
    return {
        "__typename": "Image",
        "id": f"gid://shopify/ImageSource/{number}",
        "url": url,
        "altText": alt,
        "width": width,
        "height": height,
        "thumbhash": None,
    }


def media_image(
    number: int,
    url: str | None,
    *,
    alt: str | None = None,
    width: int | None = 1200,
    height: int | None = 1200,
    status: str = "READY",
) -> Node:
    """Return a MediaImage; without a url its image is null, as that of one still being processed."""
    picture = None if url is None else image(number, url, alt=alt, width=width, height=height)
    return {
        "__typename": "MediaImage",
        "id": gid("MediaImage", number),
        "alt": alt,
        "mediaContentType": "IMAGE",
        "status": status,
        "preview": {"__typename": "MediaPreviewImage", "image": picture, "status": status},
        "image": picture,
        "mimeType": "image/jpeg",
        "createdAt": BORN,
        "updatedAt": BORN,
    }


def metafield(number: int, namespace: str, key: str, kind: str, value: str) -> Node:
    """Return a Metafield of a product or a variant."""
    return {
        "__typename": "Metafield",
        "id": gid("Metafield", number),
        "legacyResourceId": str(number),
        "namespace": namespace,
        "key": key,
        "type": kind,
        "value": value,
        "jsonValue": value,
        "ownerType": "PRODUCT",
        "sizeInBytes": len(value.encode()),
        "compareDigest": f"{hash_of(value):x}",
        "createdAt": BORN,
        "updatedAt": BORN,
    }


def hash_of(text: str) -> int:
    """Return a number for a text that is the same in every process."""
    return int.from_bytes(text.encode()[:8].ljust(8, b"\0"), "big")
