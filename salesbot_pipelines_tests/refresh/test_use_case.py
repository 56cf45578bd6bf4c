"""The use case from the taken lease to the released one: who is skipped, who waits, what is noted."""

import logging
import shutil
import threading
from datetime import timedelta

import pytest

from salesbot_pipelines.errors import LeaseHeld, LeaseLost, ShopifyUnavailable, StateUnavailable
from salesbot_pipelines.refresh import use_case
from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.state.work import ShopWork
from salesbot_pipelines_tests.refresh.comparing import left_behind, torn
from salesbot_pipelines_tests.refresh.one_run import run, status
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, turn


@pytest.fixture
def published(rig, shop):
    rig.publish(DOMAIN)
    turn(shop, 1)
    return rig


# -- who is refreshed ---------------------------------------------------------------------------------------------


def test_a_shop_that_is_not_connected_is_skipped(rig, shop):
    assert rig.refresh("stranger.myshopify.com")["stranger.myshopify.com"].status is Status.SKIPPED
    rig.program.installs.uninstall(DOMAIN)
    outcome = rig.refresh(DOMAIN)[DOMAIN]
    assert (outcome.status, outcome.ok) == (Status.SKIPPED, True)
    assert rig.server.sandbox.calls.of() == []


def test_a_person_is_told_at_once_who_holds_the_shop(rig, shop):
    held = rig.program.work.lease(DOMAIN, "a run elsewhere", 60)
    with pytest.raises(LeaseHeld) as caught:
        run(rig)
    assert (caught.value.holder, caught.value.until) == ("a run elsewhere", held.until)
    assert status(rig).attempts == 0


def test_an_event_leaves_a_held_shop_to_its_holder(rig, shop):
    rig.program.work.lease(DOMAIN, "a run elsewhere", 60)
    assert run(rig, trigger="webhook").status is Status.SKIPPED
    assert status(rig).lease_owner == "a run elsewhere"
    assert status(rig).wanted > status(rig).done


@pytest.mark.parametrize("trigger", ["schedule", "backfill"])
def test_a_fleet_wide_run_waits_for_the_holder(rig, shop, monkeypatch, trigger):
    monkeypatch.setattr(use_case, "_LEASE_POLL_SECONDS", 0.01)
    lease = rig.program.work.lease(DOMAIN, "a run elsewhere", 60)
    threading.Timer(0.05, rig.program.work.release, [lease]).start()
    assert run(rig, trigger=trigger).status is Status.PUBLISHED


def test_a_fleet_wide_run_waits_five_minutes_and_no_longer(rig, shop, monkeypatch, clock):
    waits = []

    class Stop(threading.Event):
        def wait(self, seconds=None):
            waits.append(seconds)
            clock.turn(seconds=50)
            return False

    rig.program.work.lease(DOMAIN, "a run elsewhere", 3600)
    with pytest.raises(LeaseHeld):
        run(rig, stop=Stop(), trigger="schedule")
    assert waits == [2.0] * 6


def test_a_fleet_wide_run_that_is_asked_to_stop_waits_no_more(rig, shop):
    rig.program.work.lease(DOMAIN, "a run elsewhere", 60)
    stop = threading.Event()
    stop.set()
    with pytest.raises(LeaseHeld):
        run(rig, stop=stop, trigger="schedule")


def test_a_lease_bears_the_name_of_its_run(rig, shop):
    seen = []
    rig.server.sandbox.faults.add("change", operation="Products", change=lambda _: seen.append(status(rig)))
    run(rig, run_id="0123456789abcdef")
    assert seen[0].lease_owner.endswith(" run 01234567")
    assert seen[0].last_trigger == "manual"
    assert (seen[0].lease_until - rig.program.clock.now()).total_seconds() <= rig.program.refresh.lease_seconds
    assert use_case._holder(None) == seen[0].lease_owner.removesuffix(" run 01234567")


# -- what has been done already ----------------------------------------------------------------------------------


def test_a_run_that_starts_again_leaves_out_what_it_did(rig, shop, clock):
    first = rig.publish(DOMAIN)
    asked = len(rig.server.sandbox.calls.of(DOMAIN))
    outcome = run(rig, not_before=first.fetched_at.isoformat())
    assert outcome.status is Status.FRESH
    assert (outcome.revision, outcome.counts, outcome.document_bytes) == (
        first.revision,
        first.counts,
        first.document_bytes,
    )
    assert (outcome.fetched_at, outcome.document_uri, outcome.owner) == (
        first.fetched_at,
        first.document_uri,
        first.owner,
    )
    assert len(rig.server.sandbox.calls.of(DOMAIN)) == asked


def test_what_was_read_before_that_is_read_again(rig, shop, clock):
    first = rig.publish(DOMAIN)
    later = first.fetched_at + timedelta(seconds=1)
    clock.turn(seconds=10)
    assert run(rig, not_before=later.isoformat()).status is Status.UNCHANGED


def test_what_an_event_wants_is_read_again(rig, shop):
    first = rig.publish(DOMAIN)
    rig.program.work.want(DOMAIN)
    assert run(rig, not_before=first.fetched_at.isoformat()).status is Status.UNCHANGED
    assert status(rig).wanted == status(rig).done


def test_what_was_never_read_is_read(rig, shop, clock):
    assert run(rig, not_before=clock.now().isoformat()).status is Status.PUBLISHED


def test_what_is_fresh_and_lost_its_manifest_is_said_without_it(rig, shop):
    first = rig.publish(DOMAIN)
    rig.program.store.delete(rig.keys(DOMAIN).manifest)
    outcome = run(rig, not_before=first.fetched_at.isoformat())
    assert (outcome.status, outcome.revision, outcome.counts) == (Status.FRESH, "", {})


# -- what is noted ------------------------------------------------------------------------------------------------


def test_an_event_during_a_refresh_stays_wanted(rig, shop):
    rig.publish(DOMAIN)
    rig.server.sandbox.faults.add("change", operation="Products", change=lambda _: rig.program.work.want(DOMAIN))
    rig.publish(DOMAIN)
    assert status(rig).wanted == status(rig).done + 1


def test_a_failed_read_lets_the_next_one_skip_its_upload(published, shop):
    turn(shop, 0)
    published.server.sandbox.faults.add("status", status=404, operation="Products")
    assert published.refresh(DOMAIN)[DOMAIN].error is not None
    assert (status(published).attempts, status(published).lease_owner) == (1, None)
    assert published.publish(DOMAIN).status is Status.UNCHANGED
    assert status(published).attempts == 0


def test_a_publish_that_failed_does_not(published, monkeypatch):
    def full(*_, **__):
        raise StateUnavailable("the database is unavailable")

    monkeypatch.setattr(ShopWork, "publish_done", full)
    assert isinstance(published.refresh(DOMAIN)[DOMAIN].error, StateUnavailable)
    monkeypatch.undo()
    assert published.document(DOMAIN)["shop"]["name"] == "Small 1"
    assert published.publish(DOMAIN).status is Status.PUBLISHED, "it may be half of something"
    assert published.publish(DOMAIN).status is Status.UNCHANGED


def test_what_cannot_be_noted_hides_no_error(published, monkeypatch, caplog):
    def gone(*_, **__):
        raise StateUnavailable("the database is unavailable")

    published.server.sandbox.faults.add("status", status=503, operation="Products", times=None)
    monkeypatch.setattr(ShopWork, "failed", gone)
    with caplog.at_level(logging.WARNING):
        assert isinstance(published.refresh(DOMAIN)[DOMAIN].error, ShopifyUnavailable)
    assert "could not be noted: the database is unavailable" in caplog.text


def test_a_shop_that_is_uninstalled_in_the_middle_is_left_alone(published, shop):
    before = published.document_bytes(DOMAIN)
    published.server.sandbox.faults.add(
        "change", operation="Products", change=lambda _: published.program.installs.uninstall(DOMAIN)
    )
    published.server.sandbox.faults.add("unauthorized", operation="Inventory", times=None)
    assert published.refresh(DOMAIN)[DOMAIN].error is not None
    assert published.program.installs.find(DOMAIN).status == "uninstalled"
    assert published.document_bytes(DOMAIN) == before


def test_a_run_that_is_asked_to_stop_gives_the_shop_back_and_nothing_is_held_against_it(published):
    before = published.document_bytes(DOMAIN)
    stop = threading.Event()

    def progress(stage, _done, _total):
        if stage == "inventory":
            stop.set()

    with pytest.raises(LeaseLost, match="asked to stop"):
        run(published, stop=stop, progress=progress)
    assert published.document_bytes(DOMAIN) == before
    assert (status(published).attempts, status(published).last_error) == (0, None)
    assert left_behind(published, DOMAIN) == ""
    assert published.publish(DOMAIN).status is Status.PUBLISHED


def test_a_run_that_finds_its_folder_cleared_away_says_that_it_was_taken_over(published, clock):
    def take_over(_shop):
        clock.turn(seconds=121)
        published.program.work.lease(DOMAIN, "the next run", 120)
        shutil.rmtree(published.settings.home / "work")

    published.server.sandbox.faults.add("change", operation="Products", nth=1, change=take_over)
    error = published.refresh(DOMAIN)[DOMAIN].error
    assert isinstance(error, LeaseLost)
    assert status(published).lease_owner == "the next run"
    assert status(published).last_error is None


def test_a_refresh_that_finds_nothing_new_reads_the_manifest_and_writes_nothing(rig, shop):
    rig.publish(DOMAIN)
    rig.requests.clear()
    assert rig.publish(DOMAIN).status is Status.UNCHANGED
    assert [key for verb, key in rig.requests if verb != "HEAD"] == [rig.keys(DOMAIN).manifest]


# -- what came of it ----------------------------------------------------------------------------------------------


def test_the_outcome_tells_what_changed_and_what_it_cost(published):
    outcome = published.publish(DOMAIN)
    assert (outcome.changes.changed, outcome.changes.added, outcome.changes.removed) == (5, 0, 0)
    assert outcome.calls.calls == len(published.server.sandbox.calls.of(DOMAIN)) / 2
    assert set(outcome.seconds) == {"fetch", "normalise", "publish"}
    assert outcome.total_seconds == sum(outcome.seconds.values())
    assert outcome.ok


def test_a_published_list_that_is_not_the_manifests_is_not_compared_with(published):
    published.program.store.put(published.keys(DOMAIN).products, b"{}\n", content_type="application/x-ndjson")
    assert published.publish(DOMAIN).changes is None
    assert torn(published, DOMAIN) == ""


def test_a_first_catalogue_is_all_new(rig, shop):
    outcome = rig.publish(DOMAIN)
    assert (outcome.changes.added, outcome.changes.total) == (outcome.counts["products"],) * 2
    assert outcome.changes.samples[0].kind == "added"
