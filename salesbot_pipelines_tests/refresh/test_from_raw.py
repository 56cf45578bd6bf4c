"""The document made anew from the raw objects that are stored: without a call, and covering no event."""

import pytest

from salesbot_pipelines.errors import RawMissing
from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines_tests.refresh.comparing import left_behind, torn, without_times
from salesbot_pipelines_tests.refresh.one_run import run, status
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, turn


def test_stored_raw_objects_give_the_same_document_without_a_call(rig, shop):
    first = rig.publish(DOMAIN)
    before = without_times(rig.document(DOMAIN))
    asked = len(rig.server.sandbox.calls.of(DOMAIN))
    turn(shop, 1)
    assert run(rig, from_raw=True).status is Status.UNCHANGED
    outcome = run(rig, from_raw=True, full=True)
    assert (outcome.status, outcome.revision, outcome.fetched_at) == (
        Status.PUBLISHED,
        first.revision,
        first.fetched_at,
    )
    assert without_times(rig.document(DOMAIN)) == before
    assert len(rig.server.sandbox.calls.of(DOMAIN)) == asked
    assert torn(rig, DOMAIN) == ""
    assert left_behind(rig, DOMAIN) == ""


def test_normalising_again_covers_no_event(rig, shop):
    rig.publish(DOMAIN)
    rig.program.work.want(DOMAIN)
    before = status(rig)
    for full in (False, True):
        run(rig, from_raw=True, full=full)
        assert (status(rig).wanted, status(rig).done) == (before.wanted, before.done)
    assert status(rig).last_fetched_at == before.last_fetched_at
    assert status(rig).last_published_at >= before.last_published_at


def test_without_stored_objects_there_is_nothing_to_normalise(rig, shop):
    with pytest.raises(RawMissing, match="nothing is published yet"):
        run(rig, from_raw=True)
    rig.publish(DOMAIN)
    rig.program.store.delete(rig.keys(DOMAIN).raw("products"))
    with pytest.raises(RawMissing, match="not in the store"):
        run(rig, from_raw=True)
    assert left_behind(rig, DOMAIN) == ""


def test_what_the_read_could_not_get_stays_named_when_it_is_normalised_again(rig, shop):
    shop.grant(["read_products", "read_discounts"])
    rig.publish(DOMAIN)
    named = rig.document(DOMAIN)["source"]["omissions"]
    assert {"section": "inventory", "reason": "access_denied", "detail": "read_inventory is not granted"} in named
    run(rig, from_raw=True, full=True)
    assert rig.document(DOMAIN)["source"]["omissions"] == named
