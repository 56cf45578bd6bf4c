"""Reading the document over and over while it is published: `python -m salesbot_pipelines_tests.refresh.readers`.

Two catalogues of one shop take turns. A reader in a thread and one in a process of its own, which only opens the
file, must see a whole document of one or the other each time they look.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from salesbot_pipelines.refresh.assembly import Assembly, Reading
from salesbot_pipelines.refresh.guard import LeaseGuard
from salesbot_pipelines.refresh.manifest import decode_manifest, parse_time
from salesbot_pipelines.refresh.publishing import Publishing
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines.shopify.snapshot import ENTITIES
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, small_shop
from salesbot_pipelines_tests.rig import Rig, TurnedClock, open_rig

PAUSE_SECONDS = 0.005


@dataclass
class Seen:
    """What the readers saw: how often they looked, which documents, and what was wrong."""

    looks: int = 0
    names: tuple[str, ...] = ()
    wrong: str = ""


def look(content: bytes, revisions: dict[str, str]) -> tuple[str, str]:
    """Give the shop's name in a document, and what is wrong with it."""
    try:
        document = json.loads(content)
    except ValueError as error:
        return "", f"no JSON: {error}"
    name = document["shop"]["name"]
    if revisions.get(name) != document["revision"]:
        return name, f"the revision of {name} is not its own"
    if document["products"][0]["title"] != f"Product {name[-1]}":
        return name, f"a product of the other catalogue in {name}"
    return name, ""


def read_file(path: str, revisions: dict[str, str], told: Connection) -> None:
    """Open the file again and again until told to stop; tell what was seen."""
    seen, names = Seen(), set()
    while not told.poll():
        name, seen.wrong = look(Path(path).read_bytes(), revisions)
        seen.looks += 1
        names.add(name)
        if seen.wrong:
            break
        time.sleep(PAUSE_SECONDS)
    seen.names = tuple(sorted(names))
    told.send(seen)


class Publisher:
    """Publishes two catalogues in turn, by the publish step alone."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.store = rig.program.store
        self.keys = rig.keys(DOMAIN)
        self.revisions: dict[str, str] = {}
        self._made = [self._make(state) for state in (0, 1)]

    def _make(self, state: int) -> tuple[Any, ...]:
        """Publish the shop in one state, and make its files once more, to be kept."""
        shop = self.rig.world.shop(DOMAIN)
        shop.update_shop(name=f"Small {state}")
        shop.update_product(shop.all("products")[0]["id"], title=f"Product {state}")
        self.rig.publish(DOMAIN)
        document = self.rig.document(DOMAIN)
        self.revisions[document["shop"]["name"]] = document["revision"]
        manifest = decode_manifest(self.store.read(self.keys.manifest))
        assert manifest is not None
        folder = self.rig.settings.home / f"kept-{state}"
        folder.mkdir()
        reading = Reading(
            api_version=manifest.source.api_version,
            fetched_at=parse_time(manifest.source.fetched_at),
            method=manifest.source.method,
            omissions=(),
        )
        raw = self._publishing("a maker").stored_raw(manifest, folder / "raw")
        names = {"generator": manifest.generator, "generated_at": parse_time(manifest.generated_at)}
        assembly = Assembly(folder, statuses=("active",), progress=lambda *_: None)
        assembled = assembly.make(raw, reading, trigger="manual", **names)
        return assembled, raw, reading, names

    def _publishing(self, holder: str) -> Publishing:
        work = self.rig.program.work
        lease = work.lease(DOMAIN, holder, 120)
        work.release(lease)
        return Publishing(self.store, self.keys, LeaseGuard(work, lease, self.rig.program.clock))

    def publish(self, times: int) -> None:
        """Publish so many times, the one and the other."""
        work = self.rig.program.work
        lease = work.lease(DOMAIN, "a publisher", 120)
        publishing = Publishing(self.store, self.keys, LeaseGuard(work, lease, self.rig.program.clock))
        for nth in range(times):
            assembled, raw, reading, names = self._made[nth % 2]
            publishing.publish(publishing.look(ENTITIES), assembled, raw, reading, **names)
        work.release(lease)


@contextmanager
def open_publisher(home: Path) -> Iterator[Publisher]:
    """Open the program on the small shop and make both catalogues."""
    clock = TurnedClock()
    world = World(clock)
    world.add(small_shop(clock)).bucket.unlimited = True
    with open_rig(home, world, clock=clock) as rig:
        rig.connect(DOMAIN)
        yield Publisher(rig)


def publish_and_read(publisher: Publisher, times: int) -> tuple[Seen, Seen]:
    """Publish so many times under the eyes of both readers; give what the thread and the process saw."""
    mine, ended = Seen(), threading.Event()

    def read() -> None:
        names = set()
        while not ended.is_set() and not mine.wrong:
            name, mine.wrong = look(publisher.store.read(publisher.keys.document), publisher.revisions)
            mine.looks += 1
            names.add(name)
            time.sleep(PAUSE_SECONDS)
        mine.names = tuple(sorted(names))

    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    path = str(publisher.store.root / publisher.keys.document)
    process = context.Process(target=read_file, args=(path, publisher.revisions, far), daemon=True)
    process.start()
    thread = threading.Thread(target=read)
    thread.start()
    try:
        publisher.publish(times)
    finally:
        ended.set()
        thread.join()
        near.send("stop")
    theirs = near.recv()
    process.join()
    assert decode_manifest(publisher.store.read(publisher.keys.manifest)) is not None
    return mine, theirs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1000)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder, open_publisher(Path(folder) / "home") as publisher:
        seen = publish_and_read(publisher, times)
    for who, found in zip(("a thread", "a process"), seen, strict=True):
        print(f"{times} publishes; {who} looked {found.looks} times and saw {found.names}; wrong: {found.wrong or 0}")
    return 1 if any(found.wrong for found in seen) else 0


if __name__ == "__main__":
    sys.exit(main())
