"""Whether the store at hand does what publishing needs, tried on one throw-away key.

Promise: each finding is one line and, when it is bad, one thing to do; the store is left as it was
found. Publishing itself does not belong here.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from salesbot_pipelines.errors import StoreError
from salesbot_pipelines.spaces.conditions import check_conditions
from salesbot_pipelines.spaces.keys import probe_key
from salesbot_pipelines.spaces.local import LocalStore
from salesbot_pipelines.spaces.store import ObjectStore

__all__ = ["Finding", "ProbeReport", "probe"]

Level = Literal["ok", "warning", "failure"]

# Bytes that text, line ends or chunk framing would change, and more than one buffer of them.
_CONTENT = bytes(range(256)) * 64 + "\r\n0\r\n\r\nžluťoučký".encode()


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `fix` is empty when it is well."""

    name: str
    level: Level
    text: str
    fix: str = ""


Look = Callable[[], Finding]


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
        findings.append(_finding("read", lambda: _read(store, key)))
        looks = _looks_at_folder(store, key) if isinstance(store, LocalStore) else _looks_at_spaces(store, key, now)
        findings += [_finding(name, look) for name, look in looks.items()]
        findings.append(_finding("delete", lambda: _delete(store, key)))
    return ProbeReport(store.url, tuple(findings))


def _finding(name: str, look: Look) -> Finding:
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


def _looks_at_folder(store: LocalStore, key: str) -> dict[str, Look]:
    return {"conditions": lambda: _conditions(store), "privacy": lambda: _modes(store, key)}


def _looks_at_spaces(store: ObjectStore, key: str, now: Callable[[], datetime]) -> dict[str, Look]:
    # Here, because boto3 takes a third of a second to import and the local folder does not need it.
    from salesbot_pipelines.spaces import probe_s3
    from salesbot_pipelines.spaces.s3 import SpacesStore

    if not isinstance(store, SpacesStore):
        return {"conditions": lambda: _conditions(store)}
    return {
        "conditions": lambda: _conditions(store.trusting()),
        "privacy": lambda: probe_s3.anonymous_read(store, key),
        "clock": lambda: probe_s3.clock(store, key, now),
        "place": lambda: probe_s3.place(store),
    }


def _conditions(store: ObjectStore) -> Finding:
    found = check_conditions(store)
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
