"""One sandbox for all tests of a module; each test opens shops of its own in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from salesbot_pipelines_tests.shopify.bench import Bench


@pytest.fixture(scope="module")
def _running_bench() -> Iterator[Bench]:
    bench = Bench()
    with bench.server, bench.http:
        yield bench


@pytest.fixture
def bench(_running_bench: Bench) -> Iterator[Bench]:
    rules = _running_bench.server.sandbox.bulk.rules
    usual = vars(rules).copy()
    _running_bench.calls.clear()
    yield _running_bench
    _running_bench.faults.clear()
    vars(rules).update(usual)
