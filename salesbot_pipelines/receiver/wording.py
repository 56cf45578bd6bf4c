"""What the merchant's page says, in one place: short sentences, no word of our trade, always what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from salesbot_pipelines.catalog.model import Omission

_MOST_GAPS = 8


@dataclass(frozen=True)
class Words:
    """How one stage looks and reads."""

    tone: str
    headline: str
    explanation: str
    step: str = ""


STAGES: dict[str, Words] = {
    "queued": Words(
        "busy",
        "Connected. Your catalog is next in line",
        "We will read your products in a moment. You can close this page, it goes on by itself.",
        "waiting for its turn",
    ),
    "running": Words(
        "busy",
        "Your catalog is being read",
        "Large shops take a few minutes. You can close this page, it goes on by itself.",
        "running now",
    ),
    "updating": Words(
        "busy",
        "Published, and being brought up to date",
        "Something changed in your shop. Until it is read, SalesBot answers from the catalog below.",
    ),
    "waiting": Words(
        "warn",
        "Your catalog could not be read yet",
        "It is tried again by itself, at growing intervals. Nothing needs to be done for now.",
        "it will be tried again",
    ),
    "behind": Words(
        "warn",
        "Published, but the last change is not in it yet",
        "It is tried again by itself. Until then SalesBot answers from the catalog below.",
    ),
    "stopped": Words(
        "warn",
        "Your catalog could not be read",
        "It failed several times in a row and we have been told. Logging in again also starts a new attempt.",
        "it failed several times",
    ),
    "published": Words(
        "good",
        "Your catalog is published",
        "Changes in your shop reach SalesBot within seconds, without anything to do.",
    ),
    "needs_reauth": Words(
        "warn",
        "Shopify asks you to log in again",
        "Until then your catalog stays as it is and changes do not reach SalesBot. "
        "Please accept all permissions; your settings stay.",
    ),
}

NO_WEBHOOKS = (
    "Instant updates are not set up yet",
    "Shopify did not accept them just now. We try again every day; until then changes arrive once a day.",
)

MOODS = {"done": "(done)", "now": "(in progress)", "later": "(not yet)", "stuck": "(needs attention)"}

_SECTIONS = {
    "products": "Products",
    "collections": "Collections",
    "discounts": "Discounts",
    "locations": "Locations",
    "inventory": "Stock levels",
    "shop": "Details of the shop",
}
_REASONS = {
    "access_denied": "The app was not given this permission. Log in again and accept all of them.",
    "not_requested": "This is not read for your shop.",
    "truncated": "There is more of it than can be read; the rest is left out.",
    "error": "Shopify did not give it the last time. It is tried again with the next reading.",
}
_SINGULAR = {"products": "product", "variants": "variant", "collections": "collection", "discounts": "discount"}


def counted(name: str, number: int) -> str:
    """Return the noun that fits the number."""
    return (_SINGULAR[name] if number == 1 else name).capitalize()


def gaps(omissions: Sequence[Omission]) -> list[tuple[str, str]]:
    """Return what is missing and what can be done, the same things told once, at most a handful."""
    told: dict[tuple[str, str], int] = {}
    for omission in omissions:
        key = (_section(omission.section), _REASONS.get(omission.reason, _REASONS["error"]))
        told[key] = told.get(key, 0) + 1
    shown = [(f"{what} ({number})" if number > 1 else what, advice) for (what, advice), number in told.items()]
    if len(shown) > _MOST_GAPS:
        rest = len(shown) - _MOST_GAPS
        shown = [*shown[:_MOST_GAPS], (f"and {rest} more", "They are named in the published document.")]
    return shown


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago, in the largest unit that says enough."""
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        number = seconds // length
        if number:
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"


def _section(section: str) -> str:
    if not section.startswith("/"):
        return _SECTIONS.get(section, section.replace("_", " ").capitalize())
    parts = [part for part in section.split("/") if part and not part.isdigit()]
    return f"Parts of {' and '.join(part.replace('_', ' ') for part in parts[:2])}" if parts else "Some details"
