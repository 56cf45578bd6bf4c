"""Text from outside, made fit for a column."""

from __future__ import annotations


def clean(text: str, longest: int) -> str:
    """Return the text on one line, cut to `longest`, without what PostgreSQL's text cannot hold.

    That is NUL and lone surrogates; both reach us in JSON, and the driver would raise an error of its own.
    """
    kept = " ".join(text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8").split())
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"
