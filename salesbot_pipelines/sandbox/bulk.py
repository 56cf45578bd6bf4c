"""Bulk operations: started by a mutation, run in a thread, polled, downloaded from an address that needs no token.

Up to five run at once per shop. An operation is CREATED, RUNNING and COMPLETED by the clock of the world, but never
COMPLETED before its file is whole. Faults named `bulk_...` (see `faults`) spoil the next operation.
"""

from __future__ import annotations

import random
import re
import secrets
import shutil
import tempfile
import threading
import time
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .bulk_lines import Writer, compile_bulk
from .bulk_rules import complaints
from .clock import Clock
from .faults import Faults, Rule
from .ids import gid, number_of
from .paging import RefusedField
from .shop import Shop
from .tables import Node

LIVE = ("CREATED", "RUNNING", "CANCELING")
_WAIT_FOR_FILE = 5.0


@dataclass
class BulkRules:
    """How operations go, in seconds of the world's clock."""

    enabled: bool = True
    created_seconds: float = 0.0
    run_seconds: float = 0.0
    cancel_seconds: float = 0.0
    url_seconds: float = 7 * 86_400
    at_once: int = 5


_NAME = re.compile(r"\bquery\s+(\w+)")


@dataclass
class Operation:
    """One bulk operation: the node the API shows, and what stands behind it."""

    node: Node
    shop: Shop
    writer: Writer
    path: Path
    started_at: float
    fault: Rule | None
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    whole: threading.Event = field(default_factory=threading.Event)
    canceled_at: float | None = None
    ends_at: float | None = None

    def is_spoiled(self, action: str) -> bool:
        return self.fault is not None and self.fault.action == action


class BulkDesk:
    """Starts operations, tells how they stand, and hands out their results."""

    def __init__(self, clock: Clock, rules: BulkRules | None = None) -> None:
        self.clock, self.rules = clock, rules or BulkRules()
        self.faults: Faults = Faults()
        self.base_url = "http://127.0.0.1"
        self._operations: dict[str, Operation] = {}
        self._folder: Path | None = None

    # -- starting and cancelling --------------------------------------------------------------------------------

    def run_query(self, shop: Shop, text: str, *, grouped: bool) -> tuple[Node | None, list[Node]]:
        """Start an operation; return its node, or the complaints. Raises RefusedField when the app may not."""
        name = _NAME.search(text)
        fault = self.faults.on_bulk(shop.domain, name[1] if name else None)
        if not self.rules.enabled or (fault and fault.action == "bulk_denied"):
            raise RefusedField("Access denied for bulkOperationRunQuery field.", "ACCESS_DENIED")
        if found := complaints(text):
            return None, [_complaint(["query"], message, "INVALID") for message in found]
        self.refresh(shop)
        live = [node["id"] for node in shop.all("operations") if node["status"] in LIVE]
        if len(live) >= self.rules.at_once:
            ids = ", ".join(live)
            message = f"A bulk query operation for this app and shop is already in progress: {ids}."
            return None, [_complaint(None, message, "OPERATION_IN_PROGRESS")]
        operation = self._start(shop, text, grouped, fault)
        return operation.node, []

    def _start(self, shop: Shop, text: str, grouped: bool, fault: Rule | None) -> Operation:
        number = shop.next_number()
        node: Node = {
            "__typename": "BulkOperation",
            "id": gid("BulkOperation", number),
            "status": "CREATED",
            "type": "QUERY",
            "errorCode": None,
            "createdAt": shop.stamp(),
            "completedAt": None,
            "objectCount": "0",
            "rootObjectCount": "0",
            "fileSize": None,
            "url": None,
            "partialDataUrl": None,
            "query": text,
        }
        most = fault.count if fault and fault.action == "bulk_truncated" else None
        writer = Writer(compile_bulk(text, shop), shop, grouped=grouped, most_children=most)
        path = self._home() / f"{number}.jsonl"
        operation = Operation(node, shop, writer, path, self.clock.monotonic(), fault)
        self._operations[operation.key] = operation
        shop.operations.put(number, node)
        threading.Thread(target=self._write, args=[operation], name="sandbox-bulk", daemon=True).start()
        return operation

    def cancel(self, shop: Shop, name: str) -> tuple[Node | None, list[Node]]:
        """Begin to cancel an operation; return its node, or the complaints."""
        self.refresh(shop)
        operation = next((o for o in self._of(shop) if o.node["id"] == name), None)
        if operation is None:
            return None, [_complaint(["id"], "Bulk operation does not exist", None)]
        status = operation.node["status"]
        if status not in LIVE:
            return operation.node, [
                _complaint(None, f"A bulk operation cannot be canceled when it is {status.lower()}", None)
            ]
        operation.canceled_at = operation.canceled_at or self.clock.monotonic()
        operation.node["status"] = "CANCELING"
        return operation.node, []

    # -- running ------------------------------------------------------------------------------------------------

    def _home(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="sandbox-bulk-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    def _write(self, operation: Operation) -> None:
        with operation.path.open("wb") as file:
            for piece in () if operation.writer.plan.denied else operation.writer.batches():
                file.write(piece)
                if operation.canceled_at is not None:
                    break
        if operation.is_spoiled("bulk_shuffled"):
            lines = operation.path.read_bytes().splitlines(keepends=True)
            random.Random(7).shuffle(lines)  # noqa: S311 - an order, no secret
            operation.path.write_bytes(b"".join(lines))
        if operation.is_spoiled("bulk_bad_line"):
            with operation.path.open("ab") as file:
                file.write(b'{"id": "gid://shopify/Product/1", "title": "cut he\n')
        operation.whole.set()
        self._wait_until_due(operation)

    def _wait_until_due(self, operation: Operation) -> None:
        """Tell the end of an operation nobody polls; gives up after a minute of a clock that does not move."""
        deadline = time.monotonic() + 60
        while (
            operation.node["status"] in LIVE
            and not operation.is_spoiled("bulk_stuck")
            and time.monotonic() < deadline
        ):
            with operation.shop.lock:
                self._tell(operation)
            time.sleep(0.05)

    async def settle(self, shop: Shop, to_thread: Any) -> None:
        """Before a request is answered: give operations that are due by the clock the time to end their files."""
        for operation in self._of(shop):
            if operation.node["status"] in LIVE and self._is_due(operation) and not operation.whole.is_set():
                await to_thread(operation.whole.wait, _WAIT_FOR_FILE)
        with shop.lock:
            self.refresh(shop)

    def refresh(self, shop: Shop) -> None:
        """Bring the nodes of a shop's operations up to date; the caller holds the shop's lock."""
        for operation in self._of(shop):
            if operation.node["status"] in LIVE:
                self._tell(operation)

    def _of(self, shop: Shop) -> list[Operation]:
        return [operation for operation in list(self._operations.values()) if operation.shop is shop]

    def _is_due(self, operation: Operation) -> bool:
        age = self.clock.monotonic() - operation.started_at
        return age >= self.rules.created_seconds + self.rules.run_seconds

    def _tell(self, operation: Operation) -> None:
        node, now = operation.node, self.clock.monotonic()
        node["objectCount"], node["rootObjectCount"] = str(operation.writer.lines), str(operation.writer.roots)
        if operation.canceled_at is not None:
            if now - operation.canceled_at >= self.rules.cancel_seconds and operation.whole.is_set():
                self._end(operation, "CANCELED")
        elif now - operation.started_at < self.rules.created_seconds:
            node["status"] = "CREATED"
        elif not self._is_due(operation) or not operation.whole.is_set() or operation.is_spoiled("bulk_stuck"):
            node["status"] = "RUNNING"
        elif operation.is_spoiled("bulk_canceled"):
            self._end(operation, "CANCELED")
        elif operation.writer.plan.denied or operation.is_spoiled("bulk_failed"):
            code = "ACCESS_DENIED" if operation.writer.plan.denied else (operation.fault and operation.fault.code)
            self._end(operation, "FAILED", code or "INTERNAL_SERVER_ERROR")
        else:
            self._end(operation, "COMPLETED")

    def _end(self, operation: Operation, status: str, error: str | None = None) -> None:
        node = operation.node
        operation.ends_at = self.clock.monotonic() + self.rules.url_seconds
        node.update(status=status, errorCode=error, completedAt=operation.shop.stamp())
        if operation.is_spoiled("bulk_wrong_count") and operation.fault:
            node["objectCount"] = str(operation.writer.lines + operation.fault.count)
        url = f"{self.base_url}/_sandbox/bulk/{number_of(node['id'])}.jsonl?signature={operation.key}"
        if operation.writer.lines and not operation.is_spoiled("bulk_no_url"):
            if status == "COMPLETED":
                node["url"], node["fileSize"] = url, str(operation.path.stat().st_size)
            elif operation.fault and operation.fault.partial:
                node["partialDataUrl"] = url
        operation.shop.tell(
            "bulk_operations/finish",
            {
                "admin_graphql_api_id": node["id"],
                "created_at": node["createdAt"],
                "completed_at": node["completedAt"],
                "status": status.lower(),
                "error_code": error and error.lower(),
                "type": "query",
            },
        )

    # -- handing out --------------------------------------------------------------------------------------------

    def result(self, key: str) -> Operation | None:
        """Return the operation whose address carries this signature, while it lasts."""
        operation = self._operations.get(key)
        if operation is None or operation.ends_at is None or self.clock.monotonic() > operation.ends_at:
            return None
        return operation


def _complaint(field_: list[str] | None, message: str, code: str | None) -> Node:
    return {"__typename": "BulkOperationUserError", "field": field_, "message": message, "code": code}
