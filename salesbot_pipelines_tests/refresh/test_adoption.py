"""Bulk operations that a run left behind are gone on with where they give what is asked for, and nowhere else."""

from datetime import timedelta

import pytest

from salesbot_pipelines.errors import CatalogRefused, ShopifyUnavailable
from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.refresh.program import open_program
from salesbot_pipelines.sandbox.build_products import NewVariant, add_product
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines.settings import load_settings
from salesbot_pipelines.shopify.bulk_memory import ADOPT_WITHIN
from salesbot_pipelines_tests.refresh.adopting import HOUR, NAMES, running
from salesbot_pipelines_tests.refresh.comparing import left_behind, torn
from salesbot_pipelines_tests.refresh.events import listen
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, small_shop
from salesbot_pipelines_tests.rig import Rig


@pytest.fixture
def left(rig, world, clock):
    """The small shop, whose operations run though the refresh that began them has ended."""
    found = running(rig, world.add(small_shop(clock)))
    clock.turn(minutes=1)
    found.leave()
    clock.turn(minutes=1)
    return found


def anew(found, outcome, calls):
    """Was everything begun anew, by this run, and nothing claimed that is older?"""
    return (
        calls["begun"] == len(NAMES)
        and outcome.adopted == ""
        and outcome.method == "bulk"
        and found.pending() == 0
        and found.wrong() == []
    )


# Adopted


@pytest.mark.parametrize("trigger", ["webhook", "schedule"])
@pytest.mark.parametrize("minutes", [0, 90])
def test_what_runs_or_has_ended_is_gone_on_with(left, clock, trigger, minutes):
    began = left.rig.program.work.status(DOMAIN).leased_at
    clock.turn(minutes=minutes)
    outcome, calls = left.next(trigger)
    assert (calls["begun"], calls["BulkCancel"], outcome.method) == (0, 0, "bulk")
    assert outcome.adopted == f"inventory, products, variant_media of {began:%Y-%m-%d %H:%M:%S} UTC"
    assert outcome.fetched_at == began
    assert (left.wrong(), left.pending(), left.remembered()) == ([], 0, set())
    assert left_behind(left.rig, DOMAIN) == torn(left.rig, DOMAIN) == ""


def test_what_changed_since_stays_pending_and_is_published_next(left, clock):
    """Two events came since the operations began; the next refresh knows of them before its first call."""
    told = listen(left.rig, DOMAIN)
    left.shop.set_price(left.shop.all("products")[1]["variants"][0]["id"], "43.21")
    left.shop.update_product(left.shop.all("products")[2]["id"], title="Another title")
    assert told.deliver() > 0
    before = left.pending()
    assert before > 1
    outcome, calls = left.next()
    assert (calls["begun"], outcome.status) == (0, Status.UNCHANGED)
    assert 0 < left.pending() < before, "the mark of the run that was lost is done, those of the events are not"
    assert left.wrong() != []
    assert [due.shop for due in left.rig.program.work.due(5)] == [DOMAIN]
    outcome, calls = left.next()
    assert (calls["begun"], outcome.status) == (len(NAMES), Status.PUBLISHED)
    assert (left.pending(), left.wrong()) == (0, [])


def test_what_was_wanted_before_the_operations_began_is_done(rig, world, clock):
    found = running(rig, world.add(small_shop(clock)))
    told = listen(rig, DOMAIN)
    found.shop.set_price(found.shop.all("products")[1]["variants"][0]["id"], "43.21")
    assert told.deliver() > 0
    found.leave("webhook")
    clock.turn(minutes=1)
    outcome, _ = found.next()
    assert outcome.status is Status.PUBLISHED
    assert (found.pending(), found.wrong()) == (0, [])


def test_it_can_be_left_behind_twice(left, clock):
    """The second run wrote nothing of its own; what the third publishes began with the first."""
    began = left.rig.program.work.status(DOMAIN).leased_at
    told = listen(left.rig, DOMAIN)
    left.shop.update_product(left.shop.all("products")[2]["id"], title="Another title")
    told.deliver()
    clock.turn(minutes=5)
    faults = left.rig.server.sandbox.faults
    left.while_waiting(lambda: faults.add("status", operation="BulkPoll", status=503, times=None))
    assert isinstance(left.rig.refresh(DOMAIN, trigger="webhook", method="bulk")[DOMAIN].error, ShopifyUnavailable)
    faults.clear()
    assert left.remembered() == set(NAMES)
    clock.turn(minutes=5)
    outcome, calls = left.next()
    assert (calls["begun"], outcome.fetched_at) == (0, began)
    assert left.pending() > 0


def test_products_that_came_and_went_since_are_seen_whatever_the_counts_say(left):
    """As many came as went, so that the number is right; the variants' number is not what it was.

    What went is none that would be looked at again for its many children.
    """
    shop = left.shop
    shop.delete_product(shop.all("products")[2]["id"])
    add_product(shop, "Came", [NewVariant("1.00", ("S",)), NewVariant("2.00", ("M",))], options=("Size",))
    outcome, calls = left.next()
    assert (calls["begun"], outcome.method) == (0, "bulk")
    assert "products" in outcome.adopted
    assert left.wrong() == []


def test_a_result_that_ended_while_nobody_looked_is_used_after_an_outage(left, clock):
    """Everything was read but the last question; the next run fetches the same files once more."""
    faults = left.rig.server.sandbox.faults
    faults.add("status", operation="Locations", status=503, times=None)
    assert isinstance(left.rig.refresh(DOMAIN, trigger="webhook", method="bulk")[DOMAIN].error, ShopifyUnavailable)
    faults.clear()
    assert left.remembered() == set(NAMES)
    outcome, calls = left.next()
    assert calls["begun"] == 0
    assert outcome.adopted.startswith("inventory, products, variant_media of")
    assert left.wrong() == []


# Not adopted


@pytest.mark.parametrize(
    "how", [{"trigger": "manual"}, {"trigger": "backfill"}, {"trigger": "webhook", "full": True}]
)
def test_a_person_wants_the_shop_as_it_is_now(left, how):
    before = set(left.states())
    left.shop.update_product(left.shop.all("products")[2]["id"], title="Another title")
    outcome, calls = left.next(**how)
    assert calls["BulkCancel"] == len(NAMES)
    assert {left.states()[gid] for gid in before} == {"CANCELED"}
    assert anew(left, outcome, calls)


def test_other_scopes_see_another_shop(left):
    before = set(left.states())
    left.shop.grant([*left.shop.scopes, "read_orders"])
    outcome, calls = left.next()
    assert {left.states()[gid] for gid in before} == {"CANCELED"}
    assert anew(left, outcome, calls)


def test_only_what_is_asked_otherwise_is_begun_anew(left):
    """Another namespace of metafields is another text of one operation; the other two stay as they are."""
    environ = {**left.rig.environ, "SALESBOT_METAFIELD_NAMESPACES": "other"}
    before = {node["id"]: node["query"] for node in left.operations()}
    program = open_program(load_settings(environ), clock=left.rig.program.clock)
    try:
        outcome, calls = left.next(rig=Rig(program, left.rig.server, environ))
    finally:
        program.close()
    assert (calls["begun"], calls["BulkCancel"]) == (1, 1)
    assert outcome.adopted.startswith("inventory, variant_media of")
    (cancelled,) = [gid for gid in before if left.states()[gid] == "CANCELED"]
    assert '"custom"' in before[cancelled]
    assert not any(product["metadata"] for product in left.rig.document(DOMAIN)["products"])


@pytest.mark.parametrize(("beyond", "begun"), [(-60, 0), (1, len(NAMES))])
def test_what_began_too_long_ago_is_cancelled(left, clock, beyond, begun):
    began = left.rig.program.work.status(DOMAIN).leased_at
    clock.turn(seconds=(began + ADOPT_WITHIN + timedelta(seconds=beyond) - clock.now()).total_seconds())
    _, calls = left.next()
    assert (calls["begun"], calls["BulkCancel"]) == (begun, begun)


def test_one_that_was_cancelled_meanwhile_is_begun_anew(left):
    gid = next(iter(left.states()))
    left.rig.server.sandbox.bulk.cancel(left.shop, gid)
    outcome, calls = left.next()
    assert calls["begun"] == 1
    assert outcome.adopted.count(",") == 1, outcome.adopted
    assert left.wrong() == []


def test_one_that_is_cancelled_after_it_was_adopted_is_begun_anew(left):
    gids, bulk = list(left.states()), left.rig.server.sandbox.bulk
    left.while_waiting(lambda: [bulk.cancel(left.shop, gid) for gid in gids])
    outcome, calls = left.next()
    assert anew(left, outcome, calls)


def test_one_that_shopify_knows_no_more_is_begun_anew(left):
    for node in left.operations():
        left.shop.operations.remove(int(node["id"].rpartition("/")[2]))
    outcome, calls = left.next()
    assert anew(left, outcome, calls)


def test_an_address_that_has_ended_for_good_leads_to_new_operations(left, clock):
    """What is published then is of now, and covers all that was wanted when this run began."""
    told = listen(left.rig, DOMAIN)
    left.shop.update_product(left.shop.all("products")[2]["id"], title="Another title")
    told.deliver()
    rules = left.rig.server.sandbox.bulk.rules
    rules.url_seconds = -1
    clock.turn(minutes=90)
    assert set(left.states().values()) == {"COMPLETED"}
    rules.url_seconds = HOUR
    outcome, calls = left.next()
    assert outcome.fetched_at > clock.now() - timedelta(hours=2)
    assert anew(left, outcome, calls)


def test_a_result_that_the_shop_of_now_belies_leads_to_new_operations(left, world):
    """A level more at an item looks like a file that was cut; by age nobody can tell."""
    levels = max((item["inventoryLevels"] for item in left.shop.all("items")), key=len)
    with left.shop.lock:
        levels.append({**levels[0], "_location": levels[0]["_location"]})
        levels[-1]["id"] = levels[0]["id"].replace("?", "9?")
    outcome, calls = left.next()
    assert calls["begun"] == len(NAMES)
    assert (outcome.adopted, outcome.method) == ("", "bulk")


def test_what_was_refused_is_not_read_again(left):
    """The same files would be refused until they are too old."""
    left.shop.update_shop(currencyCode="???")
    assert isinstance(left.rig.refresh(DOMAIN, trigger="webhook", method="bulk")[DOMAIN].error, CatalogRefused)
    assert left.remembered() == set()
    left.shop.update_shop(currencyCode="EUR")
    outcome, calls = left.next()
    assert anew(left, outcome, calls)


# Whatever else is published, or fails


def test_a_shop_that_is_read_by_pages_cancels_them(left):
    outcome, calls = left.next(method="paged")
    assert (outcome.method, calls["BulkCancel"], left.remembered()) == ("paged", len(NAMES), set())
    assert set(left.states().values()) == {"CANCELED"}


def test_an_incremental_refresh_makes_them_too_old(rig, world, clock):
    """Its document is newer than their results: they must not be published after it."""
    shop = world.add(make_synthetic(clock, "large.myshopify.com", products=300, variants=1))
    found = running(rig, shop)
    clock.turn(minutes=5)
    told = listen(rig, shop.domain)
    shop.set_price(shop.all("products")[7]["variants"][0]["id"], "43.21")
    told.deliver()
    found.leave("webhook")
    outcome, calls = found.next(method="auto")
    assert (outcome.method, outcome.full_because) == ("incremental", "")
    assert (calls["BulkCancel"], found.remembered(), found.pending()) == (len(NAMES), set(), 0)
    assert set(found.states().values()) == {"CANCELED"}
    assert found.wrong() == []


def test_what_cannot_be_cancelled_is_kept_for_the_next_run(left):
    faults = left.rig.server.sandbox.faults
    for operation in ("BulkCancel", "Products"):
        faults.add("status", operation=operation, status=503, times=None)
    assert isinstance(left.rig.refresh(DOMAIN, method="paged")[DOMAIN].error, ShopifyUnavailable)
    faults.clear()
    assert left.remembered() == set(NAMES)
    assert set(left.states().values()) <= {"CREATED", "RUNNING"}
    outcome, calls = left.next()
    assert calls["begun"] == 0
    assert outcome.adopted.startswith("inventory, products, variant_media of")


def test_a_run_that_ends_well_leaves_nothing(rig, world, clock):
    found = running(rig, world.add(small_shop(clock)))
    outcome, calls = found.next()
    assert anew(found, outcome, calls)
    assert found.remembered() == set()
