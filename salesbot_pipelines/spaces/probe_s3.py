"""The part of the probe that only Spaces needs: privacy, clock and place.

Apart from `probe` so that looking at a local folder does not import boto3.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import botocore

from salesbot_pipelines.errors import StoreRefused
from salesbot_pipelines.spaces.probe import Finding
from salesbot_pipelines.spaces.s3 import SpacesStore
from salesbot_pipelines.spaces.s3_errors import errors_as_ours

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["anonymous_read", "clock", "place"]

# A signature older than 15 minutes is refused: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_CLOCK_WARNING_SECONDS = 60
_CLOCK_FAILURE_SECONDS = 600


def anonymous_read(store: SpacesStore, key: str) -> Finding:
    """Try to read the object without a key."""
    try:
        with _unsigned(store.client), errors_as_ours("GET without a key", key):
            store.client.get_object(Bucket=store.bucket, Key=key)["Body"].close()
    except StoreRefused:
        return Finding("privacy", "ok", "objects cannot be read without a key")
    return Finding(
        "privacy",
        "failure",
        "anybody can read the objects",
        "make the bucket private: remove its bucket policy and its public access",
    )


def clock(store: SpacesStore, key: str, now: Callable[[], datetime]) -> Finding:
    """Compare this machine's time with the store's."""
    with errors_as_ours("HEAD", key):
        answer = store.client.head_object(Bucket=store.bucket, Key=key)
    sent = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    with suppress(ValueError):
        # The header has whole seconds, cut off: half a second is the best guess of the rest.
        off = round((now() - parsedate_to_datetime(sent)).total_seconds() - 0.5)
        text = f"this machine's clock is {abs(off)} s {'ahead of' if off > 0 else 'behind'} the store's"
        if abs(off) > _CLOCK_FAILURE_SECONDS:
            return Finding("clock", "failure", text, "set the clock: signatures are refused after 15 minutes")
        if abs(off) > _CLOCK_WARNING_SECONDS:
            return Finding("clock", "warning", text, "let NTP set the clock")
        return Finding("clock", "ok", text)
    return Finding("clock", "warning", "the store does not tell its time", "compare the clock by hand")


def place(store: SpacesStore) -> Finding:
    """Name the region and the way the bucket is addressed."""
    s3: dict[str, Any] = getattr(store.client.meta.config, "s3", None) or {}
    style = s3.get("addressing_style", "auto")
    return Finding("place", "ok", f"region {store.client.meta.region_name}, {style} addressing")


@contextmanager
def _unsigned(client: S3Client) -> Iterator[None]:
    """Send this thread's GETs without a signature; other threads share the client and stay signed."""
    here = threading.get_ident()

    def choose(**_: object) -> Any:
        return botocore.UNSIGNED if threading.get_ident() == here else None

    client.meta.events.register_first("choose-signer.s3.GetObject", choose)
    try:
        yield
    finally:
        client.meta.events.unregister("choose-signer.s3.GetObject", choose)
