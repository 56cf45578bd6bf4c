"""A shop that may no longer be read: who must log in again, who need not, and what stays published meanwhile."""

import pytest

from salesbot_pipelines.errors import AccessRefused, AccessRevoked, NeedsReauth
from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.state.installs import Credential
from salesbot_pipelines_tests.refresh.comparing import left_behind
from salesbot_pipelines_tests.refresh.logging_in import asked_for_tokens, expire, log_in, refused, status
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, small_shop, turn

OTHER = "other.myshopify.com"


@pytest.fixture
def shop(world, clock):
    made = world.add(small_shop(clock))
    made.bucket.unlimited = True
    return made


def die(rig):
    rig.server.sandbox.tokens.expire_access(DOMAIN)
    rig.server.sandbox.tokens.expire_refresh(DOMAIN)


def test_a_dead_refresh_token_asks_for_a_new_login_and_disturbs_no_other_shop(rig, shop, world, clock):
    other = world.add(small_shop(clock, OTHER))
    log_in(rig, shop)
    log_in(rig, other)
    rig.refresh(DOMAIN, OTHER)
    before = rig.document_bytes(DOMAIN)
    for each in (shop, other):
        turn(each, 1)
    die(rig)
    outcomes = rig.refresh(DOMAIN, OTHER)
    assert isinstance(outcomes[DOMAIN].error, NeedsReauth)
    assert outcomes[OTHER].status is Status.PUBLISHED
    assert rig.document(OTHER)["shop"]["name"] == "Small 1"
    assert (status(rig), status(rig, OTHER)) == ("needs_reauth", "installed")
    assert "open the app once more" in rig.program.installs.require(DOMAIN).reauth_reason
    assert rig.document_bytes(DOMAIN) == before
    rows = {row.shop: row for row in rig.program.fleet()}
    assert (rows[DOMAIN].status, rows[OTHER].status) == ("needs_reauth", "installed")
    assert left_behind(rig, DOMAIN) == ""


def test_no_event_asks_for_a_shop_that_needs_a_login(rig, shop, clock):
    log_in(rig, shop)
    rig.publish(DOMAIN)
    die(rig)
    rig.refresh(DOMAIN)
    asked = len(asked_for_tokens(rig))
    for _ in range(3):
        clock.turn(hours=2)
        rig.program.work.want(DOMAIN)
        assert rig.program.reserve_due(limit=10, seconds=60) == []
    rig.refresh(DOMAIN, trigger="schedule")
    assert len(asked_for_tokens(rig)) == asked + 1, "the daily refresh looks once"


def test_a_new_login_clears_the_mark(rig, shop, clock):
    log_in(rig, shop)
    die(rig)
    rig.refresh(DOMAIN)
    owner = rig.program.installs.require(DOMAIN).owner
    log_in(rig, shop)
    assert (status(rig), rig.program.installs.require(DOMAIN).owner) == ("installed", owner)
    clock.turn(seconds=5)
    assert [due.shop for due in rig.program.reserve_due(limit=10, seconds=60)] == [DOMAIN]
    assert rig.publish(DOMAIN).status is Status.PUBLISHED


def test_a_merchant_who_comes_back_in_the_middle_is_not_asked_again(rig, shop):
    """The token in use dies and cannot be renewed, but another one is stored by then: the run goes on with it."""
    log_in(rig, shop)

    def come_back(_shop):
        die(rig)
        log_in(rig, shop)

    rig.server.sandbox.faults.add("change", operation="Products", change=come_back)
    assert rig.publish(DOMAIN).status is Status.PUBLISHED
    assert (status(rig), len(asked_for_tokens(rig))) == ("installed", 0)


def test_a_refresh_token_that_has_run_out_is_not_even_sent(rig, shop, clock):
    log_in(rig, shop)
    clock.turn(days=91)
    assert isinstance(rig.refresh(DOMAIN)[DOMAIN].error, NeedsReauth)
    assert (status(rig), asked_for_tokens(rig)) == ("needs_reauth", [])


def test_a_wrong_app_secret_is_the_operators_to_mend(rig, shop):
    log_in(rig, shop)
    rig.server.sandbox.tokens.expire_access(DOMAIN)
    rig.server.sandbox.tokens.check_client = _refuse_client
    assert isinstance(rig.refresh(DOMAIN)[DOMAIN].error, AccessRefused)
    assert status(rig) == "installed"


def _refuse_client(_client_id, _client_secret):
    from salesbot_pipelines.sandbox.tokens import Refused

    raise Refused("invalid_client", "Client authentication failed", 401)


def test_an_app_of_the_own_organisation_gets_its_tokens_by_itself(rig, shop, clock):
    rig.program.installs.connect(DOMAIN, Credential(kind="client_credentials", access_token=""))
    for expected in (1, 2, 3):
        assert rig.publish(DOMAIN, full=True).status is Status.PUBLISHED
        assert len(asked_for_tokens(rig)) == expected
        clock.turn(hours=24)
    assert refused(rig) == [], "it never calls without a token"
    rig.server.sandbox.faults.add("change", operation="Products", change=expire(rig))
    rig.publish(DOMAIN, full=True)
    assert status(rig) == "installed"


def test_a_static_token_that_is_refused_needs_a_login_and_is_taken_back_when_it_works_again(rig, shop):
    rig.connect(DOMAIN)
    rig.publish(DOMAIN)
    shop.takes_static_token = False
    turn(shop, 1)
    before = rig.document_bytes(DOMAIN)
    assert isinstance(rig.refresh(DOMAIN)[DOMAIN].error, AccessRevoked)
    assert (status(rig), rig.document_bytes(DOMAIN)) == ("needs_reauth", before)
    shop.takes_static_token = True
    rig.publish(DOMAIN)
    assert (status(rig), rig.document(DOMAIN)["shop"]["name"]) == ("installed", "Small 1")


def test_a_missing_scope_needs_a_login(rig, shop):
    rig.connect(DOMAIN)
    rig.publish(DOMAIN)
    before = rig.document_bytes(DOMAIN)
    shop.grant(["read_discounts"])
    error = rig.refresh(DOMAIN)[DOMAIN].error
    assert isinstance(error, NeedsReauth)
    assert "read_products" in error.public_text
    assert (status(rig), rig.document_bytes(DOMAIN)) == ("needs_reauth", before)


def test_an_optional_scope_that_is_missing_is_named_in_the_document(rig, shop):
    rig.connect(DOMAIN)
    shop.grant(["read_products"])
    rig.publish(DOMAIN)
    document = rig.document(DOMAIN)
    named = {omission["section"]: omission["reason"] for omission in document["source"]["omissions"]}
    assert {"discounts": "access_denied", "inventory": "access_denied", "locations": "access_denied"}.items() <= (
        named.items()
    )
    assert (document["discounts"], document["locations"]) == ([], [])
    assert all(v["inventory"] is None for p in document["products"] for v in p["variants"])
