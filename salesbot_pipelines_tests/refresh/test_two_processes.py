"""A refresh with a worker beside it publishes what one without publishes, also when the worker is killed."""

from __future__ import annotations

import os
import signal
import threading

import psutil
import pytest

from salesbot_pipelines.refresh import assembly, normalising
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines.shopify import goods
from salesbot_pipelines.shopify.bulk import BulkOperations
from salesbot_pipelines.shopify.reading import bulk_products, scatter
from salesbot_pipelines.workers import sharing
from salesbot_pipelines.workers.process import WorkerProcess


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[WorkerProcess]:
    """Let small shops be shared: one worker may be started, and parts and batches hold next to nothing.

    Gives the worker once for each item that it was given.
    """
    for module in (assembly, goods):
        monkeypatch.setattr(module, "MANY_PRODUCTS", 1)
    monkeypatch.setattr(normalising, "_BATCH_BYTES", 8_000)
    monkeypatch.setattr(scatter, "PART_BYTES", 10_000)
    monkeypatch.setattr(sharing, "_free", threading.Semaphore(1))
    found: list[WorkerProcess] = []
    plain = WorkerProcess.submit

    def submit(self, function, item):
        found.append(self)
        return plain(self, function, item)

    monkeypatch.setattr(WorkerProcess, "submit", submit)
    return found


@pytest.fixture
def shop(rig, world, clock) -> str:
    return rig.connect(world.add(make_synthetic(clock, "s.myshopify.com", products=70, variants=3)))


def published(rig, shop: str, method: str):
    """Publish; give the document and all raw objects, without the moment and the run."""
    outcome = rig.publish(shop, method=method, full=True)
    document = rig.document(shop)
    raw = {path.name: path.read_bytes() for path in rig.settings.home.rglob("raw/*.jsonl.gz") if shop in str(path)}
    assert document["revision"] == outcome.revision
    for name in ("generated_at", "generator"):
        del document[name]
    del document["source"]["fetched_at"]
    return document, raw


def alone(monkeypatch: pytest.MonkeyPatch, rig, shop: str, method: str):
    with monkeypatch.context() as patch:
        patch.setattr(sharing, "_free", threading.Semaphore(0))
        return published(rig, shop, method)


@pytest.mark.parametrize("method", ["paged", "bulk"])
def test_a_worker_changes_nothing(monkeypatch, rig, submitted, shop, method) -> None:
    expected = alone(monkeypatch, rig, shop, method)
    assert not submitted
    assert published(rig, shop, method) == expected
    assert submitted


@pytest.mark.parametrize("method", ["paged", "bulk"])
def test_what_could_not_be_used_is_named_in_the_same_order(monkeypatch, rig, world, submitted, shop, method) -> None:
    for product in world.shop(shop).all("products")[::4]:
        world.shop(shop).update_product(product["id"])["variants"][1]["price"] = "no price"
    expected = alone(monkeypatch, rig, shop, method)
    named = [omission["section"] for omission in expected[0]["source"]["omissions"]]
    assert len(named) > 15
    assert published(rig, shop, method) == expected
    assert submitted


@pytest.mark.parametrize("nth", [1, 2, 5, 12])
def test_a_worker_that_is_killed_changes_nothing(monkeypatch, rig, submitted, shop, caplog, nth) -> None:
    expected = alone(monkeypatch, rig, shop, "bulk")
    plain = WorkerProcess.submit

    def submit(self, function, item):
        future = plain(self, function, item)
        if len(submitted) == nth:
            os.kill(self.pid, signal.SIGKILL)
        return future

    monkeypatch.setattr(WorkerProcess, "submit", submit)
    assert published(rig, shop, "bulk") == expected
    assert "everything is done in this process from here on" in caplog.text
    assert len(submitted) >= nth
    assert not psutil.pid_exists(submitted[0].pid)


def test_a_small_shop_starts_no_worker(monkeypatch, rig, world, clock) -> None:
    monkeypatch.setattr(sharing, "_free", threading.Semaphore(1))
    monkeypatch.setattr(WorkerProcess, "__init__", lambda self: pytest.fail("a worker was started"))
    shop = rig.connect(world.add(make_synthetic(clock, "s.myshopify.com", products=300, variants=3)))
    for method in ("paged", "bulk"):
        rig.publish(shop, method=method, full=True)


@pytest.mark.parametrize("many", [70, 71])
def test_the_worker_starts_while_shopify_writes_the_results_of_a_large_shop(
    monkeypatch: pytest.MonkeyPatch, submitted: list[WorkerProcess], rig, shop: str, many: int
) -> None:
    monkeypatch.setattr(goods, "MANY_PRODUCTS", many)
    there: list[int] = []
    plain = BulkOperations.run

    def run(self, texts, progress=None):
        if bulk_products.MAIN in texts:
            there.append(len(psutil.Process().children()))
        return plain(self, texts, progress)

    monkeypatch.setattr(BulkOperations, "run", run)
    before = len(psutil.Process().children())
    published(rig, shop, "bulk")
    assert there == [before + (many == 70)]
