"""Whether the store at hand does what publishing needs, tried on one throw-away key.

Promise: each finding is one line and, when it is bad, one thing to do; the store is left as it was
found. Publishing itself does not belong here.
"""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

import botocore

from salesbot_pipelines.errors import StoreError, StoreRefused
from salesbot_pipelines.spaces.conditions import check_conditions
from salesbot_pipelines.spaces.keys import probe_key
from salesbot_pipelines.spaces.local import LocalStore
from salesbot_pipelines.spaces.s3 import SpacesStore
from salesbot_pipelines.spaces.s3_errors import errors_as_ours
from salesbot_pipelines.spaces.store import ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["Finding", "ProbeReport", "probe"]

Level = Literal["ok", "warning", "failure"]

# Bytes that text, line ends or chunk framing would change, and more than one buffer of them.
_CONTENT = bytes(range(256)) * 64 + "\r\n0\r\n\r\nžluťoučký".encode()
# A signature older than 15 minutes is refused: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_CLOCK_WARNING_SECONDS = 60
_CLOCK_FAILURE_SECONDS = 600


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `fix` is empty when it is well."""

    name: str
    level: Level
    text: str
    fix: str = ""


@dataclass(frozen=True)
class ProbeReport:
    """What was found about one store."""

    url: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether one can publish; warnings are allowed."""
        return all(finding.level != "failure" for finding in self.findings)

    @property
    def conditional(self) -> bool:
        """Whether conditional writes were seen to be enforced."""
        return any(finding.name == "conditions" and finding.level == "ok" for finding in self.findings)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def probe(store: ObjectStore, *, now: Callable[[], datetime] = _utc_now) -> ProbeReport:
    """Write, read, overwrite and delete a throw-away object and report. Raises nothing of the store's."""
    key = probe_key()
    findings = [_finding("write", lambda: _write(store, key))]
    if findings[0].level == "ok":
        findings += [
            _finding("read", lambda: _read(store, key)),
            _finding("conditions", lambda: _conditions(store)),
        ]
        if isinstance(store, SpacesStore):
            findings += [
                _finding("privacy", lambda: _anonymous(store, key)),
                _finding("clock", lambda: _clock(store, key, now)),
                _place(store),
            ]
        elif isinstance(store, LocalStore):
            findings.append(_finding("privacy", lambda: _modes(store, key)))
        findings.append(_finding("delete", lambda: _delete(store, key)))
    return ProbeReport(store.url, tuple(findings))


def _finding(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except StoreError as error:
        return Finding(name, "failure", " ".join(str(error).split()), error.advice or "try again")


def _write(store: ObjectStore, key: str) -> Finding:
    stored = store.put(key, _CONTENT, content_type="application/octet-stream", metadata={"made-by": "probe"})
    return Finding("write", "ok", f"an object of {stored.size} bytes can be written")


def _read(store: ObjectStore, key: str) -> Finding:
    seen = store.head(key)
    if seen is None or seen.metadata.get("made-by") != "probe":
        return Finding("read", "failure", "metadata do not come back", "use another store: metadata are needed")
    if seen.size != len(_CONTENT) or store.read(key) != _CONTENT:
        # Stores that know no trailers keep their framing inside the object.
        fix = "another program or proxy adds to uploads; set AWS_REQUEST_CHECKSUM_CALCULATION=when_required"
        return Finding("read", "failure", f"{seen.size} bytes come back of {len(_CONTENT)} written", fix)
    return Finding("read", "ok", "the same bytes and metadata come back")


def _conditions(store: ObjectStore) -> Finding:
    found = check_conditions(store.trusting() if isinstance(store, SpacesStore) else store)
    if found.all:
        return Finding("conditions", "ok", "conditional writes are enforced")
    missing = " and ".join(
        name
        for name, enforced in (("If-None-Match", found.create_only), ("If-Match", found.compare_and_set))
        if not enforced
    )
    return Finding(
        "conditions",
        "warning",
        f"{missing} not enforced: only the shop's lease keeps two writers apart",
        "nothing to do while one database serves all workers; else ask the store's support",
    )


def _anonymous(store: SpacesStore, key: str) -> Finding:
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


def _clock(store: SpacesStore, key: str, now: Callable[[], datetime]) -> Finding:
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


def _place(store: SpacesStore) -> Finding:
    s3: dict[str, Any] = getattr(store.client.meta.config, "s3", None) or {}
    style = s3.get("addressing_style", "auto")
    return Finding("place", "ok", f"region {store.client.meta.region_name}, {style} addressing")


def _modes(store: LocalStore, key: str) -> Finding:
    path = store.root / key
    for shown in (path, *path.parents):
        if stat.S_IMODE(shown.stat().st_mode) & 0o077:
            return Finding(
                "privacy", "warning", f"other users of this machine may reach {shown}", f"chmod go= {shown}"
            )
        if shown == store.root:
            break
    return Finding("privacy", "ok", "the folder is closed to other users of this machine")


def _delete(store: ObjectStore, key: str) -> Finding:
    store.delete(key)
    if store.head(key):
        return Finding(
            "delete", "failure", "an object is still there after its deletion", "give the key delete rights"
        )
    return Finding("delete", "ok", "the object can be deleted")


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
