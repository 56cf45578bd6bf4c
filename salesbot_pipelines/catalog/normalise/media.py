"""Pictures, and the preview pictures of videos and models."""

from __future__ import annotations

from typing import Any

from salesbot_pipelines.catalog.model import Media
from salesbot_pipelines.catalog.normalise.raw import integer, lower, text, uri

_BY_TYPENAME = {
    "ExternalVideo": "external_video",
    "MediaImage": "image",
    "Model3d": "model_3d",
    "Video": "video",
}


def normalise_image(raw: Any, *, alt: str | None = None, kind: str = "image") -> Media | None:
    """Return Shopify's Image {url width height altText} as media; None without a URL, as answers may hold null."""
    url = uri(raw.get("url")) if isinstance(raw, dict) else None
    if url is None:
        return None
    return Media(
        alt_text=alt or text(raw.get("altText")),
        height=integer(raw.get("height")),
        type=kind,
        url=url,
        width=integer(raw.get("width")),
    )


def normalise_media(nodes: list[Any]) -> list[Media]:
    """Return media in the shop's order; what has no picture yet, or no longer, is left out."""
    found = []
    for node in nodes:
        kind = lower(node.get("mediaContentType")) or _BY_TYPENAME.get(node.get("__typename", ""), "image")
        preview = (node.get("preview") or {}).get("image")
        alt = text(node.get("alt"))
        one = normalise_image(node.get("image"), alt=alt, kind=kind) or normalise_image(preview, alt=alt, kind=kind)
        if one is not None:
            found.append(one)
    return found
