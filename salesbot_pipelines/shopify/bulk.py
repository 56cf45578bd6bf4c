"""Bulk operations: Shopify writes a whole listing into a file, which is fetched when it is ready.

The promise: a result is used only when the operation is COMPLETED and the file has as many lines as Shopify says; a
partial one never. Operations of others are left alone, ours are cancelled when nobody waits for them any more; what a
killed run left behind is adopted where it is remembered. What cannot be had ends in `BulkFailed`, and whoever asked
reads page by page instead. Joining the lines belongs to `reading`.
https://shopify.dev/docs/api/usage/bulk-operations/queries
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from salesbot_pipelines.errors import (
    BulkFailed,
    QueryRejected,
    SalesbotError,
    ShopifyUnavailable,
    Throttled,
)
from salesbot_pipelines.shopify.answers import Answer
from salesbot_pipelines.shopify.bulk_memory import History, RememberedOperation, cancel, cancel_released
from salesbot_pipelines.shopify.client import AdminClient
from salesbot_pipelines.shopify.effort import Effort
from salesbot_pipelines.shopify.queries import load

_GOING = ("CREATED", "RUNNING")
_LIVE = (*_GOING, "CANCELING")
_BUSY = ("OPERATION_IN_PROGRESS", "LIMIT_REACHED")
_AGAIN = ("INTERNAL_SERVER_ERROR", "TIMEOUT", None)  # None: Shopify cancelled it, as it does with a stalled one
_FIRST_POLL_SECONDS = 0.25
_LONGEST_POLL_SECONDS = 10.0


@dataclass(frozen=True)
class Patience:
    """How long operations may take, in seconds."""

    busy_seconds: float = 900.0  # while operations of others hold all places
    run_seconds: float = 3600.0


@dataclass(frozen=True)
class BulkResult:
    """A whole file, or an empty one when nothing was found; `lines` is Shopify's count."""

    path: Path
    lines: int


class BulkOperations:
    """The bulk operations of one reading of one shop; `adopted` are those that an earlier reading began, by name."""

    def __init__(
        self, client: AdminClient, folder: Path, patience: Patience | None = None, history: History | None = None
    ) -> None:
        self._client = client
        self._folder = folder
        self._patience = patience or Patience()
        self._history = history
        self._running: dict[str, str] = {}
        self.adopted: dict[str, RememberedOperation] = {}

    def run(
        self, texts: Mapping[str, str], progress: Callable[[str, int], None] | None = None
    ) -> dict[str, BulkResult]:
        """Run all texts at once and return their results by name; raise `BulkFailed` unless all are whole.

        What is remembered of earlier readings is adopted or cancelled first. Where Shopify cannot be reached,
        nothing is cancelled that is remembered: the next run goes on with it.
        """
        results: dict[str, BulkResult] = {}
        try:
            self._adopt(texts)
            for name, text in texts.items():
                if name not in self._running:
                    self._begin(name, text)
            for name, text in texts.items():
                node = self._finished(name, text, progress)
                results[name] = self._fetched(name, node)
                del self._running[name]
        except OSError as error:
            raise BulkFailed(
                f"{self._client.shop}: the result cannot be kept: {error.strerror}", shop=self._client.shop
            ) from error
        except (ShopifyUnavailable, Throttled):
            if self._history is not None:
                self._running.clear()
            raise
        finally:
            self._cancel_rest()
        return results

    def _adopt(self, texts: Mapping[str, str]) -> None:
        """Take over what earlier readings began and this one would begin again; cancel the rest of theirs."""
        history = self._history
        if history is None:
            return
        now = self._client.clock.now()
        for known in history.memory.recall():
            digest = history.digest(self._client.api_version, texts.get(known.name, ""))
            if history.may_adopt(known, digest, now) and self._is_usable(known.gid):
                self._running[known.name], self.adopted[known.name] = known.gid, known
            else:
                cancel_released(self._client, history.memory, known.gid)

    def _is_usable(self, gid: str) -> bool:
        try:
            node = self._client.execute(load("bulk_poll"), {"id": gid}).data.get("bulkOperation") or {}
        except QueryRejected:  # another app's by now
            return False
        status = node.get("status")
        return status in _GOING or (status == "COMPLETED" and bool(node.get("url")))

    def _begin(self, name: str, text: str) -> None:
        """Start an operation and have it remembered; one that cannot be remembered does not stay."""
        self.adopted.pop(name, None)
        gid = self._running[name] = self._start(text)
        history = self._history
        if history is None:
            return
        try:
            digest = history.digest(self._client.api_version, text)
            history.memory.remember(name, gid, digest, history.began_at)
        except SalesbotError:
            del self._running[name]
            cancel(self._client, gid)
            raise

    def _start(self, text: str) -> str:
        """Start an operation, waiting for a free place; raise `BulkFailed` when it is refused."""
        waited, pause = 0.0, 5.0
        while True:
            try:
                answer = self._client.execute(load("bulk_run"), {"query": text})
            except QueryRejected as error:
                raise self._failed(str(error), error_code="ACCESS_DENIED") from error
            if any(problem.denied for problem in answer.problems):
                raise self._failed("bulk queries are not allowed for this app", error_code="ACCESS_DENIED")
            payload = answer.data.get("bulkOperationRunQuery") or {}
            errors = payload.get("userErrors") or []
            operation = payload.get("bulkOperation")
            if operation and not errors:
                return str(operation["id"])
            if not any(error.get("code") in _BUSY for error in errors):
                raise self._failed(
                    "; ".join(str(error.get("message")) for error in errors) or "no operation was started"
                )
            if waited >= self._patience.busy_seconds:
                raise self._failed("other bulk operations hold all places")
            self._client.clock.sleep(pause)
            waited += pause

    def _finished(self, name: str, text: str, progress: Callable[[str, int], None] | None) -> Mapping[str, Any]:
        """Wait for an operation and return its node once it is COMPLETED.

        A failure that may pass is tried twice, and so is what ended badly since an earlier reading began it.
        """
        node = self._ended(name, progress)
        failed = node.get("status") in ("FAILED", "CANCELED") and node.get("errorCode") in _AGAIN
        if failed or (name in self.adopted and node.get("status") != "COMPLETED"):
            self._begin(name, text)
            node = self._ended(name, progress)
        status, code = str(node.get("status")), node.get("errorCode")
        if status == "COMPLETED":
            return node
        raise self._failed(
            f"the operation ended as {status}" + (f" ({code})" if code else ""), status=status, error_code=code
        )

    def _ended(self, name: str, progress: Callable[[str, int], None] | None) -> Mapping[str, Any]:
        started, pause = self._client.clock.monotonic(), _FIRST_POLL_SECONDS
        while True:
            node = self._poll(self._running[name])
            if node.get("status") not in _LIVE:
                return node
            if progress is not None:
                progress(name, _whole_number(node.get("rootObjectCount")))
            if self._client.clock.monotonic() - started > self._patience.run_seconds:
                raise self._failed("the operation does not end", status=str(node.get("status")))
            self._client.clock.sleep(pause)
            pause = min(_LONGEST_POLL_SECONDS, 1.6 * pause)

    def _poll(self, gid: str) -> Mapping[str, Any]:
        answer: Answer = self._client.execute(load("bulk_poll"), {"id": gid})
        node = answer.data.get("bulkOperation")
        if not isinstance(node, dict):
            raise self._failed("the operation is not known any more")
        return node

    def _fetched(self, name: str, node: Mapping[str, Any]) -> BulkResult:
        path, lines = self._folder / f"{name}.jsonl", _whole_number(node.get("objectCount"))
        path.unlink(missing_ok=True)
        if node.get("url"):
            try:
                self._download(name, node, path)
            except ShopifyUnavailable as error:
                raise self._failed(str(error)) from error
        elif lines:
            raise self._failed(f"{lines} objects were counted and no result was given")
        else:
            path.touch()
        return BulkResult(path, lines)

    def _download(self, name: str, node: Mapping[str, Any], path: Path) -> None:
        """Fetch the file; what broke off goes on where it was, and an address that ended is asked for anew."""
        size = _whole_number(node.get("fileSize")) or None
        effort = Effort(self._client.clock, self._client.limits, self._client.chance)
        url, renewed = str(node["url"]), False
        while True:
            try:
                status = self._receive(url, path)
            except httpx.RequestError as error:
                effort.back_off(self._broken(type(error).__name__))
                continue
            if status in (200, 206):
                if size is None or path.stat().st_size == size:
                    return
                effort.back_off(self._broken("the file is not as long as it should be"))
                if path.stat().st_size > size:
                    path.unlink()
            elif status >= 500 or status == 429:
                effort.back_off(self._broken(f"the download answered {status}"))
            elif renewed:
                raise self._failed(f"the download answered {status}")
            else:
                # The address is signed for a time; the operation tells a new one.
                renewed, url = True, str(self._poll(self._running[name]).get("url") or "")
                if not url:
                    raise self._failed("the result is not there any more")

    def _receive(self, url: str, path: Path) -> int:
        """Append what is missing of the file; return the status. The address needs no token and gets none."""
        there = path.stat().st_size if path.exists() else 0
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={there}-"} if there else {})}
        with self._client.http.stream("GET", url, headers=headers, follow_redirects=False) as response:
            if response.status_code == 416 and there:
                path.unlink()  # there is no more: what we have is too long
                return 503
            if response.status_code not in (200, 206):
                return response.status_code
            with path.open("ab" if response.status_code == 206 else "wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
            return response.status_code

    def _cancel_rest(self) -> None:
        """Cancel what nobody waits for: it would hold one of five places for hours."""
        for gid in self._running.values():
            if self._history is None:
                cancel(self._client, gid)
            else:
                cancel_released(self._client, self._history.memory, gid)
        self._running.clear()

    def _broken(self, reason: str) -> ShopifyUnavailable:
        return ShopifyUnavailable(f"{self._client.shop}: {reason}", shop=self._client.shop)

    def _failed(self, reason: str, *, status: str = "", error_code: str | None = None) -> BulkFailed:
        shop = self._client.shop
        text = f"{shop}: {reason.removeprefix(f'{shop}: ')}"  # a reason may be another error's whole text
        return BulkFailed(text, shop=shop, status=status, error_code=error_code)


def _whole_number(text: Any) -> int:
    """64-bit numbers come as text."""
    return int(text) if isinstance(text, (str, int)) and str(text).isdigit() else 0
