"""One writer on two machines that share a PostgreSQL: its clock counts, and its outages end a refresh cleanly."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.fernet import Fernet

from salesbot_pipelines.errors import LeaseHeld, StateUnavailable
from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines.state.engine import migrate, open_engine
from salesbot_pipelines_tests.needs import do_without
from salesbot_pipelines_tests.postgres import missing_programs, postgres_server
from salesbot_pipelines_tests.refresh.children import At, child
from salesbot_pipelines_tests.refresh.comparing import left_behind, torn
from salesbot_pipelines_tests.refresh.kills import AheadClock
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, small_shop, turn
from salesbot_pipelines_tests.rig import open_rig

pytestmark = pytest.mark.postgres
LEASE = 2.0


@pytest.fixture(scope="module")
def server(starter):
    if why := missing_programs():
        do_without(why)
    with postgres_server() as running:
        engine = open_engine(running.url())
        migrate(engine)
        engine.dispose()
        yield running


@pytest.fixture(scope="module")
def starter():
    """A thread that lasts: the server ends with the thread that started it."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda server: pool.submit(server.start).result(30)


@pytest.fixture
def rig(server, tmp_path):
    clock = AheadClock()
    world = World(clock)
    shop = world.add(small_shop(clock))
    shop.bucket.unlimited = True
    environ = {
        "SALESBOT_DATABASE_URL": server.url(),
        "SALESBOT_ENCRYPTION_KEYS": _KEY,
    }
    with open_rig(tmp_path / "home", world, clock=clock, environ=environ) as opened:
        opened.program.installs.forget(DOMAIN)
        opened.connect(shop)
        turn(shop, 0)
        opened.publish(DOMAIN)
        turn(shop, 1)
        yield opened


_KEY = Fernet.generate_key().decode()


def elsewhere(rig):
    """Give the variables of a second machine: the same database and store, and a work folder of its own."""
    other = rig.settings.home.with_name("elsewhere")
    other.mkdir()
    (other / "objects").symlink_to(rig.settings.home / "objects")
    return {**rig.environ, "SALESBOT_HOME": str(other)}


def publish_once_the_lease_has_run_out(rig):
    deadline = time.monotonic() + 30
    while True:
        try:
            return rig.publish(DOMAIN)
        except LeaseHeld:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_a_frozen_run_on_another_machine_is_refused(rig):
    where = elsewhere(rig)
    with child(where, DOMAIN, at=At("put", 10), sign=signal.SIGSTOP, tell=True, lease_seconds=LEASE) as old:
        old.go()
        assert old.hear()[0] == "at"
        old.wait_until_frozen()
        with pytest.raises(LeaseHeld, match=f":{old.pid} run child-"):
            rig.publish(DOMAIN)
        rig.world.shop(DOMAIN).update_shop(name="The newest")
        assert publish_once_the_lease_has_run_out(rig).status is Status.PUBLISHED
        newest = rig.document_bytes(DOMAIN)
        old.thaw()
        assert old.hear()[:2] == ("failed", "LeaseLost")
    assert rig.document_bytes(DOMAIN) == newest
    assert torn(rig, DOMAIN) == ""
    assert left_behind(rig, DOMAIN) == ""


@pytest.mark.parametrize("at", [At("put", 10), At("commit", 16)], ids=str)
def test_a_killed_run_is_followed_by_a_whole_one(rig, at):
    with child(rig.environ, DOMAIN, at=at, lease_seconds=LEASE) as killed:
        killed.go()
        assert killed.hear() is None
        assert killed.ends()
    assert publish_once_the_lease_has_run_out(rig).status is Status.PUBLISHED
    assert rig.document(DOMAIN)["shop"]["name"] == "Small 1"
    assert torn(rig, DOMAIN) == ""
    assert left_behind(rig, DOMAIN) == ""


@pytest.mark.parametrize("operation", ["Products", "VariantsCount"])
def test_a_database_that_restarts_in_the_middle(rig, server, starter, operation):
    """Its connections are cut; the refresh goes on with new ones, or ends named, and the next one is right."""

    def restart(_shop):
        server.stop(signal.SIGINT)
        starter(server)

    before = rig.document_bytes(DOMAIN)
    rig.server.sandbox.faults.add("change", operation=operation, change=restart)
    error = rig.refresh(DOMAIN)[DOMAIN].error
    if error is not None:
        assert isinstance(error, StateUnavailable)
        assert rig.document_bytes(DOMAIN) == before
    rig.program.work.want(DOMAIN)
    rig.program.work.replay(DOMAIN)
    publish_once_the_lease_has_run_out(rig)
    assert rig.document(DOMAIN)["shop"]["name"] == "Small 1"
    assert torn(rig, DOMAIN) == ""


def test_a_database_that_is_gone_ends_the_refresh_named(rig, server, starter):
    document = rig.keys(DOMAIN).document
    before = rig.program.store.read(document)
    rig.server.sandbox.faults.add("change", operation="VariantsCount", change=lambda _: server.stop(signal.SIGINT))
    try:
        error = rig.refresh(DOMAIN)[DOMAIN].error
        assert isinstance(error, StateUnavailable)
        assert error.retryable
        assert rig.program.store.read(document) == before
    finally:
        starter(server)
