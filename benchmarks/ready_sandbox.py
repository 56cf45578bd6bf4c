"""A sandbox of one synthetic shop whose bulk operations end at once when they were run before.

A bulk operation takes Shopify's time, or the sandbox's, and neither says anything about who waits for it. Here the
first operation of each text writes its file as ever; every later one is given that file and is COMPLETED at its first
poll. So a reading that is measured after such a first one hardly waits, whatever its way of polling.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from salesbot_pipelines.sandbox.bulk import BulkDesk, Operation
from salesbot_pipelines.sandbox.clock import SystemClock
from salesbot_pipelines.sandbox.sandbox import Sandbox
from salesbot_pipelines.sandbox.server import serve
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines.sandbox.world import World


class ReadyDesk(BulkDesk):
    """Hands out the file of the first operation with the same text; the shop must not change meanwhile."""

    def __init__(self, clock: SystemClock) -> None:
        super().__init__(clock)
        self._first: dict[tuple[str, bool], Operation] = {}

    def _write(self, operation: Operation) -> None:
        first = self._first.setdefault((operation.node["query"], operation.writer.grouped), operation)
        if first is operation:
            super()._write(operation)
            return
        first.whole.wait()
        os.link(first.path, operation.path)
        operation.writer.lines, operation.writer.roots = first.writer.lines, first.writer.roots
        operation.whole.set()
        self._wait_until_due(operation)


@contextmanager
def ready_sandbox(products: int, variants: int) -> Iterator[str]:
    """Serve the shop with a standard bucket, in a process of its own; give the address."""
    command = [sys.executable, __file__, "--products", str(products), "--variants", str(variants)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, required=True)
    parser.add_argument("--variants", type=int, required=True)
    options = parser.parse_args()
    world = World(SystemClock())
    world.bulk = ReadyDesk(SystemClock())
    world.add(make_synthetic(world.clock, products=options.products, variants=options.variants))
    serve(Sandbox(world))


if __name__ == "__main__":
    main()
