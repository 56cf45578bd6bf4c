"""The publish step and the lease that guards it, one condition at a time."""

import dataclasses
import json
import threading

import msgspec
import pytest

from salesbot_pipelines.errors import LeaseLost, RawMissing
from salesbot_pipelines.refresh.guard import LeaseGuard
from salesbot_pipelines.refresh.manifest import decode_manifest
from salesbot_pipelines.refresh.publishing import Publishing
from salesbot_pipelines.shopify.snapshot import ENTITIES
from salesbot_pipelines_tests.refresh.readers import DOMAIN, open_publisher


@pytest.fixture(scope="module")
def publisher(tmp_path_factory):
    with open_publisher(tmp_path_factory.mktemp("publishing") / "home") as opened:
        yield opened


@pytest.fixture
def lease(publisher):
    work = publisher.rig.program.work
    taken = work.lease(DOMAIN, "a test", 90)
    yield dataclasses.replace(taken, takeover=False)
    work.release(taken)


@pytest.fixture
def publishing(publisher, lease):
    return Publishing(publisher.store, publisher.keys, guard_of(publisher, lease))


def guard_of(publisher, lease, **how):
    return LeaseGuard(publisher.rig.program.work, lease, publisher.rig.program.clock, **how)


@pytest.fixture
def made(publisher, publishing):
    """The files of a catalogue that lies in the store."""
    assembled, raw, reading, names = publisher._made[0]
    publishing.publish(publishing.look(ENTITIES), assembled, raw, reading, **names)
    publisher.rig.requests.clear()
    return assembled, raw, reading, names


def put(publisher):
    return [key.rpartition(f"{DOMAIN}/")[2] for key in publisher.rig.puts()]


def test_the_order_is_content_first_and_the_manifest_last(publisher, publishing, made):
    for entry in publisher.store.list(publisher.keys.prefix):
        publisher.store.delete(entry)
    assembled, raw, reading, names = made
    manifest = publishing.publish(publishing.look(ENTITIES), assembled, raw, reading, **names)
    assert put(publisher) == [
        *(f"raw/{entity}.jsonl.gz" for entity in ENTITIES),
        "products.jsonl",
        "discounts.jsonl",
        "collections.jsonl",
        "shopify_data.json",
        "manifest.json",
    ]
    stored = decode_manifest(publisher.store.read(publisher.keys.manifest))
    assert stored == manifest
    assert (stored.sha256, stored.bytes) == (assembled.document.sha256, assembled.document.size)


def test_what_lies_there_already_is_not_written_again_but_document_and_manifest_are(publisher, publishing, made):
    assembled, raw, reading, names = made
    publishing.publish(publishing.look(ENTITIES), assembled, raw, reading, **names)
    assert put(publisher) == ["shopify_data.json", "manifest.json"]


def test_only_what_changed_is_written(publisher, publishing, made):
    assembled, raw, reading, names = publisher._made[1]
    publishing.publish(publishing.look(ENTITIES), assembled, raw, reading, **names)
    assert put(publisher) == [
        "raw/shop.jsonl.gz",
        "raw/products.jsonl.gz",
        "products.jsonl",
        "shopify_data.json",
        "manifest.json",
    ]


def test_the_same_catalogue_is_unchanged(publishing, made):
    assert publishing.is_unchanged(publishing.look(ENTITIES), made[0])


@pytest.mark.parametrize(
    "change",
    [
        {"revision": "sha256:0"},
        {"schema_version": "1.0.1"},
        {"counts": {"products": 1}},
    ],
    ids=str,
)
def test_another_catalogue_is_not(publishing, made, change):
    assert not publishing.is_unchanged(publishing.look(ENTITIES), dataclasses.replace(made[0], **change))


@pytest.mark.parametrize(
    "change",
    [{"api_version": "2026-07"}, {"omissions": [{"section": "discounts", "reason": "error", "detail": None}]}],
    ids=lambda change: next(iter(change)),
)
def test_another_reading_of_the_same_is_not(publishing, made, change):
    source = msgspec.to_builtins(made[0].source) | change
    other = dataclasses.replace(made[0], source=msgspec.convert(source, type(made[0].source)))
    assert not publishing.is_unchanged(publishing.look(ENTITIES), other)


def test_after_a_takeover_nothing_is_unchanged(publisher, lease, made):
    taken = dataclasses.replace(lease, takeover=True)
    publishing = Publishing(publisher.store, publisher.keys, guard_of(publisher, taken))
    assert not publishing.is_unchanged(publishing.look(ENTITIES), made[0])


def test_without_a_manifest_nothing_is_unchanged(publisher, publishing, made):
    publisher.store.delete(publisher.keys.manifest)
    standing = publishing.look(ENTITIES)
    assert standing.manifest is None
    assert not standing.is_intact()
    assert not publishing.is_unchanged(standing, made[0])


@pytest.mark.parametrize("name", ["products", "discounts", "collections", "document", "raw"])
def test_an_object_that_is_not_the_manifests_is_a_change(publisher, publishing, made, name):
    key = publisher.keys.raw("inventory") if name == "raw" else getattr(publisher.keys, name)
    publisher.store.put(key, b"{}", content_type="application/json")
    assert not publishing.look(ENTITIES).is_intact()
    publisher.store.delete(key)
    assert not publishing.look(ENTITIES).is_intact()


def test_a_manifest_of_another_version_is_none(publisher, publishing, made):
    manifest = json.loads(publisher.store.read(publisher.keys.manifest))
    for broken in (b"", b"{}", b"\xff", json.dumps(manifest | {"schema": "urn:salesbot:manifest:2"}).encode()):
        publisher.store.put(publisher.keys.manifest, broken, content_type="application/json")
        assert publishing.look(ENTITIES).manifest is None


@pytest.mark.parametrize("nth", range(5))
def test_an_object_that_another_wrote_in_between_is_not_overwritten(publisher, publishing, made, nth):
    """Whichever it is, and whether it was there before or not."""
    assembled, raw, reading, names = publisher._made[1]
    key = [
        publisher.keys.raw("products"),
        publisher.keys.products,
        publisher.keys.document,
        publisher.keys.manifest,
        publisher.keys.raw("shop"),
    ][nth]
    for was_there in (True, False):
        if not was_there:
            publisher.store.delete(key)
        standing = publishing.look(ENTITIES)
        publisher.store.put(key, b"of another run", content_type="application/json")
        with pytest.raises(LeaseLost, match=f"another run wrote {key.rpartition('/')[2]} first"):
            publishing.publish(standing, assembled, raw, reading, **names)
        assert publisher.store.read(key) == b"of another run"


def test_nothing_is_written_once_the_lease_is_lost(publisher, publishing, lease, made):
    work = publisher.rig.program.work
    publisher.rig.program.clock.turn(seconds=121)
    other = work.lease(DOMAIN, "another", 120)
    assembled, raw, reading, names = publisher._made[1]
    with pytest.raises(LeaseLost):
        publishing.publish(publishing.look(ENTITIES), assembled, raw, reading, **names)
    assert put(publisher) == []
    work.release(other)


def test_raw_objects_come_back_only_when_they_are_the_manifests(publisher, publishing, made, tmp_path):
    manifest = publishing.look(ENTITIES).manifest
    found = publishing.stored_raw(manifest, tmp_path / "a")
    assert {entity: file.sha256 for entity, file in found.items()} == {
        entity: file.sha256 for entity, file in made[1].items()
    }
    assert set(publishing.stored_raw(manifest, tmp_path / "some", ("shop", "products"))) == {"shop", "products"}
    key = publisher.keys.raw("inventory")
    publisher.store.put(key, b"another", content_type="application/gzip")
    with pytest.raises(RawMissing, match="not the one"):
        publishing.stored_raw(manifest, tmp_path / "b")
    publisher.store.delete(key)
    with pytest.raises(RawMissing, match="not in the store"):
        publishing.stored_raw(manifest, tmp_path / "c")


def test_bringing_raw_objects_keeps_the_lease_and_can_be_stopped(publisher, lease, made, tmp_path):
    stop = threading.Event()
    publishing = Publishing(publisher.store, publisher.keys, guard_of(publisher, lease, stop=stop))
    manifest = publishing.look(ENTITIES).manifest
    stop.set()
    with pytest.raises(LeaseLost, match="asked to stop"):
        publishing.stored_raw(manifest, tmp_path)


def test_the_lease_is_renewed_when_a_third_of_it_is_gone(publisher, lease):
    work, clock = publisher.rig.program.work, publisher.rig.program.clock
    guard = guard_of(publisher, lease, seconds=90)
    first = work.status(DOMAIN).lease_until
    for seconds, renewed in ((29.5, False), (0.5, True), (29, False), (1, True)):
        clock.turn(seconds=seconds)
        guard.keep()
        assert (work.status(DOMAIN).lease_until > first) == renewed
        if renewed:
            assert (work.status(DOMAIN).lease_until - clock.now()).total_seconds() == 90
        first = work.status(DOMAIN).lease_until


def test_a_look_at_the_lease_renews_it_too(publisher, lease):
    work, clock = publisher.rig.program.work, publisher.rig.program.clock
    guard = guard_of(publisher, lease, seconds=90)
    clock.turn(seconds=20)
    guard.check()
    assert (work.status(DOMAIN).lease_until - clock.now()).total_seconds() == 90
    until = work.status(DOMAIN).lease_until
    clock.turn(seconds=20)
    guard.keep()
    assert work.status(DOMAIN).lease_until == until, "it was looked at lately"


def test_one_that_is_asked_to_stop_stops_at_its_next_step_and_in_its_waits(publisher, lease):
    stop = threading.Event()
    guard = guard_of(publisher, lease, stop=stop)
    told = []
    progress = guard.keeping(lambda *what: told.append(what))
    progress("products", 1, 2)
    guard.keeping(None)("products", 1, 2)
    guard.keeping_clock().sleep(1)
    stop.set()
    for step in (guard.keep, lambda: progress("products", 2, 2), lambda: guard.keeping_clock().sleep(1)):
        with pytest.raises(LeaseLost, match="asked to stop"):
            step()
    assert told == [("products", 1, 2)]


def test_a_wait_is_as_long_as_it_was_asked_to_be(publisher, lease):
    clock = publisher.rig.program.clock
    keeping = guard_of(publisher, lease, seconds=40).keeping_clock()
    for seconds in (0, 3, 10, 25, 100.5):
        before = clock.monotonic()
        keeping.sleep(seconds)
        assert clock.monotonic() - before == pytest.approx(seconds)
    assert keeping.now() == clock.now()
    assert keeping.monotonic() == clock.monotonic()
