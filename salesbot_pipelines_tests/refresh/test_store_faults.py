"""A store that refuses, is slow, or loses answers while a refresh publishes; and a disk that is full."""

import dataclasses
import errno
import os

import pytest

from salesbot_pipelines.errors import LeaseLost, StoreError, StoreRefused, StoreUnavailable
from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.refresh.rawfiles import RawFiles
from salesbot_pipelines.refresh.workfolder import WorkFolderFailed
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines.spaces.s3 import SpacesStore, make_client
from salesbot_pipelines_tests.refresh.comparing import differences, left_behind, torn, without_times
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, small_shop, turn
from salesbot_pipelines_tests.rig import TurnedClock, open_rig
from salesbot_pipelines_tests.spaces.stub_s3 import Answer, Cut, Damage, Late, Lost, StubS3, StubServer

SLOW_DOWN = Answer("PUT", 503, "SlowDown")


class ChoosyStub(StubS3):
    """Spoils requests for the object whose name ends so; `left` of them, or all."""

    def spoil(self, name, fault, left=None):
        self.name, self.fault, self.left = name, fault, left

    def take(self, verb):
        fault = getattr(self, "fault", None)
        key = self.seen[-1][1]
        if fault is None or fault.verb != verb or not key.endswith(self.name) or self.left == 0:
            return None
        if self.left is not None:
            self.left -= 1
        return fault


class Stored:
    """A rig whose objects lie in a stub of S3."""

    def __init__(self, rig, server, stores):
        self.rig, self.server, self.stores = rig, server, stores
        self.stub = server.stub
        self.state = 0

    def patience(self, attempts):
        """Let the client try so often; making one takes longer than a refresh."""
        self._store(self.stores[attempts])

    def without_conditions(self):
        """Let the store ignore conditions; the program finds out by itself."""
        self.stub.behaviour.enforce_conditions = False
        self._store(SpacesStore(self.stores[1].client, self.stores[1].bucket))

    def _store(self, store):
        program = self.rig.program
        refresh = dataclasses.replace(program.refresh, store=store)
        self.rig.program = dataclasses.replace(program, store=store, refresh=refresh)

    def turn(self):
        """Change the shop: the document is no longer right."""
        self.state = 1 - self.state
        turn(self.rig.world.shop(DOMAIN), self.state)

    def is_right(self):
        return self.rig.document(DOMAIN)["shop"]["name"] == f"Small {self.state}"

    def fails(self):
        """Refresh; insist that it failed, named and kept, and that the old document stayed."""
        before = self.rig.document_bytes(DOMAIN)
        error = self.rig.refresh(DOMAIN)[DOMAIN].error
        assert error is not None
        assert self.rig.document_bytes(DOMAIN) == before
        assert self.rig.program.work.status(DOMAIN).last_error
        assert self.rig.program.work.status(DOMAIN).lease_owner is None
        return error

    def heals(self):
        self.stub.fault = None
        assert self.rig.publish(DOMAIN).status is Status.PUBLISHED
        assert self.is_right()
        assert torn(self.rig, DOMAIN) == ""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    clock = TurnedClock()
    world = World(clock)
    world.add(small_shop(clock)).bucket.unlimited = True
    with StubServer() as server:
        environ = {
            "SPACES_REGION": "fra1",
            "SPACES_ENDPOINT": server.endpoint,
            "SPACES_BUCKET": "salesbot-test",
            "SPACES_KEY": "DO00TEST",
            "SPACES_SECRET": "nothing",
        }
        home = tmp_path_factory.mktemp("stored") / "home"
        with open_rig(home, world, clock=clock, environ=environ) as rig:
            spaces = rig.settings.spaces
            clients = {n: make_client(spaces, attempts=n, read_timeout_seconds=0.5 if n == 2 else 5) for n in (1, 2)}
            stores = {n: SpacesStore(client, spaces.bucket, conditional=True) for n, client in clients.items()}
            rig.connect(DOMAIN)
            server.stub = ChoosyStub()
            found = Stored(rig, server, stores)
            found.patience(1)
            rig.publish(DOMAIN)
            yield found
            for client in clients.values():
                client.close()


@pytest.fixture
def stored(opened):
    """The document of the state before lies in the stub, and the shop has changed."""
    opened.stub.fault = None
    opened.stub.behaviour.enforce_conditions = True
    opened.stub.seen.clear()
    opened.patience(1)
    opened.turn()
    return opened


OBJECTS = [
    "raw/products.jsonl.gz",
    "/products.jsonl",
    "discounts.jsonl",
    "collections.jsonl",
    "shopify_data.json",
]


@pytest.mark.parametrize("name", OBJECTS)
def test_a_store_that_is_busy_leaves_the_old_document(stored, name):
    stored.stub.spoil(name, SLOW_DOWN)
    error = stored.fails()
    assert isinstance(error, StoreUnavailable)
    assert error.retryable
    assert "SlowDown" in error.public_text
    stored.heals()


def test_a_store_that_is_busy_at_the_manifest_leaves_a_whole_new_document(stored):
    stored.stub.spoil("manifest.json", SLOW_DOWN)
    assert isinstance(stored.rig.refresh(DOMAIN)[DOMAIN].error, StoreUnavailable)
    assert stored.is_right()
    stored.turn()
    stored.heals()


def test_a_store_that_is_busy_for_a_moment_is_waited_for(stored):
    stored.patience(2)
    stored.stub.spoil("shopify_data.json", SLOW_DOWN, left=1)
    assert stored.rig.publish(DOMAIN).status is Status.PUBLISHED
    assert stored.is_right()


@pytest.mark.parametrize(
    ("name", "code"), [("shopify_data.json", "AccessDenied"), ("/products.jsonl", "SignatureDoesNotMatch")]
)
def test_a_store_that_refuses_is_told_apart(stored, name, code):
    stored.stub.spoil(name, Answer("PUT", 403, code))
    error = stored.fails()
    assert isinstance(error, StoreRefused)
    assert not error.retryable
    stored.heals()


@pytest.mark.parametrize("name", ["discounts.jsonl", "shopify_data.json", "manifest.json"])
def test_a_write_that_another_has_preceded_is_given_up_and_tried_again(stored, name):
    """412 though nobody holds the lease: a run that was fenced off wrote its last. The shop stays due."""
    stored.stub.spoil(name, Answer("PUT", 412, "PreconditionFailed"))
    before = stored.rig.document_bytes(DOMAIN)
    error = stored.rig.refresh(DOMAIN)[DOMAIN].error
    assert isinstance(error, LeaseLost)
    assert "another run wrote" in str(error)
    status = stored.rig.program.work.status(DOMAIN)
    assert (status.wanted > status.done, status.lease_owner) == (True, None)
    if name != "manifest.json":
        assert stored.rig.document_bytes(DOMAIN) == before
    stored.heals()


@pytest.mark.parametrize("fault", [Answer("HEAD", 503), Answer("HEAD", 403)], ids=["503", "403"])
def test_a_store_that_does_not_tell_what_lies_there_is_not_written_to(stored, fault):
    stored.stub.spoil("shopify_data.json", fault)
    written = stored.stub.verbs().count("PUT")
    assert isinstance(stored.fails(), StoreError)
    assert stored.stub.verbs().count("PUT") == written
    stored.heals()


@pytest.mark.parametrize("fault", [Answer("GET", 503), Cut(honest=False), Damage()], ids=["503", "cut", "damaged"])
def test_a_manifest_that_cannot_be_read_whole_stops_the_refresh(stored, fault):
    stored.stub.spoil("manifest.json", fault)
    written = stored.stub.verbs().count("PUT")
    assert isinstance(stored.fails(), StoreError)
    assert stored.stub.verbs().count("PUT") == written
    stored.heals()


@pytest.mark.parametrize("status", [500, None], ids=["500", "broken"])
def test_a_write_whose_answer_was_lost_counts(stored, status):
    stored.stub.spoil("shopify_data.json", Lost("PUT", status), left=1)
    assert stored.rig.publish(DOMAIN).status is Status.PUBLISHED
    assert stored.is_right()
    assert torn(stored.rig, DOMAIN) == ""


def test_a_slow_store_is_asked_again_and_its_late_write_is_our_own(stored):
    stored.patience(2)
    stored.stub.spoil("shopify_data.json", Late("PUT", 0.8), left=1)
    assert stored.rig.publish(DOMAIN).status is Status.PUBLISHED
    assert stored.is_right()


def test_a_store_without_conditions_is_published_to_all_the_same(stored):
    stored.without_conditions()
    assert stored.rig.publish(DOMAIN).status is Status.PUBLISHED
    assert not stored.rig.program.store.conditional
    assert stored.is_right()
    assert not [key for _, key, _ in stored.stub.seen if "probe" in key and key in stored.stub.objects]


def test_nothing_is_uploaded_when_nothing_changed(stored):
    stored.rig.publish(DOMAIN)
    written = stored.stub.verbs().count("PUT")
    assert stored.rig.publish(DOMAIN).status is Status.UNCHANGED
    assert stored.stub.verbs().count("PUT") == written


@pytest.mark.parametrize("damage", ["lose", "change"])
@pytest.mark.parametrize("name", ["products", "document", "manifest"])
def test_what_somebody_else_lost_or_changed_is_made_anew(rig, world, clock, name, damage):
    world.add(small_shop(clock))
    rig.connect(DOMAIN)
    rig.publish(DOMAIN)
    right = without_times(rig.document(DOMAIN))
    path = rig.program.store.root / getattr(rig.keys(DOMAIN), name)
    path.unlink() if damage == "lose" else path.write_bytes(b"{}\n")
    assert rig.publish(DOMAIN).status is Status.PUBLISHED
    assert list(differences(right, without_times(rig.document(DOMAIN)))) == []
    assert torn(rig, DOMAIN) == ""


@pytest.fixture
def published(rig, world, clock):
    world.add(small_shop(clock))
    rig.connect(DOMAIN)
    turn(world.shop(DOMAIN), 0)
    rig.publish(DOMAIN)
    turn(world.shop(DOMAIN), 1)
    return rig


def test_a_work_folder_that_cannot_be_made_is_named(published):
    work = published.settings.home / "work"
    work.rmdir()
    work.write_text("in the way")
    before = published.document_bytes(DOMAIN)
    error = published.refresh(DOMAIN)[DOMAIN].error
    assert isinstance(error, WorkFolderFailed)
    assert error.retryable
    assert published.document_bytes(DOMAIN) == before
    work.unlink()
    assert published.publish(DOMAIN).status is Status.PUBLISHED


def test_a_disk_that_is_full_is_named(published, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = published.document_bytes(DOMAIN)
    monkeypatch.setattr(RawFiles, "write", full)
    error = published.refresh(DOMAIN)[DOMAIN].error
    assert isinstance(error, WorkFolderFailed)
    assert "No space left on device" in str(error)
    assert published.document_bytes(DOMAIN) == before
    assert left_behind(published, DOMAIN) == ""
    monkeypatch.undo()
    assert published.publish(DOMAIN).status is Status.PUBLISHED


def test_a_bug_is_one_shops_and_leaves_no_lease(published, monkeypatch):
    def bug(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(RawFiles, "finish", bug)
    outcome = published.refresh(DOMAIN)[DOMAIN]
    assert "unexpected ZeroDivisionError" in outcome.error.public_text
    assert published.program.work.status(DOMAIN).last_error == "unexpected ZeroDivisionError"
    assert left_behind(published, DOMAIN) == ""
