"""A shop's credential through its refreshes: renewed once, stored before use, given up only when it is dead."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from salesbot_pipelines.errors import AccessRefused, AccessRevoked, NeedsReauth, ShopifyUnavailable
from salesbot_pipelines.refresh.credentials import RENEW_BEFORE, InstallTokens
from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines.state.installs import Credential
from salesbot_pipelines_tests.refresh.children import At, child, renewing
from salesbot_pipelines_tests.refresh.comparing import left_behind
from salesbot_pipelines_tests.refresh.kills import AheadClock
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, small_shop, turn
from salesbot_pipelines_tests.rig import open_rig

OTHER = "other.myshopify.com"


@pytest.fixture
def shop(world, clock):
    made = world.add(small_shop(clock))
    made.bucket.unlimited = True
    return made


def log_in(rig, shop):
    """Let the merchant grant access: an expiring pair."""
    desk = rig.server.sandbox.tokens
    granted = desk.exchange_code(shop, desk.issue_code(shop, shop.scopes), "1")
    now = rig.program.clock.now()
    rig.program.installs.connect(
        shop.domain,
        Credential(
            kind="pair",
            access_token=granted["access_token"],
            expires_at=now + timedelta(seconds=granted["expires_in"]),
            refresh_token=granted["refresh_token"],
            refresh_expires_at=now + timedelta(seconds=granted["refresh_token_expires_in"]),
        ),
    )
    return granted["access_token"]


def stored(rig, shop=DOMAIN):
    return rig.program.installs.credential(shop)


def asked_for_tokens(rig, shop=DOMAIN):
    return rig.server.sandbox.calls.of(shop, "access_token")


def refused(rig):
    return [call for call in rig.server.sandbox.calls.of(DOMAIN) if call.status == 401]


def status(rig, shop=DOMAIN):
    return rig.program.installs.require(shop).status


def expire(rig):
    """End the access token as the answer to some call is under way."""
    return lambda shop: rig.server.sandbox.tokens.expire_access(shop.domain)


@pytest.mark.parametrize("operation", ["Preflight", "Products", "Inventory", "VariantsCount"])
def test_a_token_that_ends_in_the_middle_is_renewed_once_and_stored(rig, shop, operation):
    first = log_in(rig, shop)
    rig.server.sandbox.faults.add("change", operation=operation, change=expire(rig))
    assert rig.publish(DOMAIN).status is Status.PUBLISHED
    assert len(asked_for_tokens(rig)) == 1
    assert stored(rig).access_token != first
    assert status(rig) == "installed"
    rig.publish(DOMAIN)
    assert len(asked_for_tokens(rig)) == 1, "the stored pair is the one in use"


@pytest.mark.parametrize(("left", "renewals"), [(RENEW_BEFORE + timedelta(seconds=1), 0), (RENEW_BEFORE, 1)])
def test_a_token_that_ends_soon_is_renewed_before_the_first_call(rig, shop, clock, left, renewals):
    log_in(rig, shop)
    clock.turn(seconds=(stored(rig).expires_at - clock.now() - left).total_seconds())
    rig.publish(DOMAIN)
    assert (len(asked_for_tokens(rig)), refused(rig)) == (renewals, [])


def test_a_pair_is_renewed_again_and_again(rig, shop, clock):
    log_in(rig, shop)
    for _ in range(5):
        clock.turn(days=20)
        rig.publish(DOMAIN)
    assert len(asked_for_tokens(rig)) == 5
    assert status(rig) == "installed"


def tokens_of(rig, holder="a test"):
    program = rig.program
    return InstallTokens(
        DOMAIN,
        installs=program.installs,
        http=program.http,
        settings=program.settings.shopify,
        clock=program.clock,
        holder=holder,
    )


@pytest.mark.parametrize("shared", [True, False], ids=["one client", "a client each"])
def test_all_requests_at_once_share_one_renewal(rig, shop, shared):
    first = log_in(rig, shop)
    rig.server.sandbox.tokens.expire_access(DOMAIN)
    rig.server.sandbox.faults.add("slow", operation="access_token", seconds=0.2)
    one = tokens_of(rig)
    clients = [one if shared else tokens_of(rig, f"thread {n}") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        renewed = set(pool.map(lambda tokens: tokens.renew(first), clients))
    assert renewed == {stored(rig).access_token}
    assert len(asked_for_tokens(rig)) == 1


@pytest.fixture
def ahead(tmp_path):
    clock = AheadClock()
    world = World(clock)
    shop = world.add(small_shop(clock))
    shop.bucket.unlimited = True
    with open_rig(tmp_path / "home", world, clock=clock) as rig:
        log_in(rig, shop)
        rig.publish(DOMAIN)
        yield rig


def test_two_processes_share_one_renewal(ahead):
    first = stored(ahead).access_token
    ahead.server.sandbox.tokens.expire_access(DOMAIN)
    ahead.server.sandbox.faults.add("slow", operation="access_token", seconds=0.3)
    with (
        renewing(ahead.environ, DOMAIN, first) as one,
        renewing(ahead.environ, DOMAIN, first) as other,
        ThreadPoolExecutor(2) as pool,
    ):
        renewed = {future.result() for future in [pool.submit(one), pool.submit(other)]}
    assert renewed == {stored(ahead).access_token}
    assert len(asked_for_tokens(ahead)) == 1


def test_a_kill_between_receiving_and_storing_a_pair_is_healed_by_the_former_token(ahead):
    """Shopify has given a new pair that nobody has; the refresh token before is good until the new one is used."""
    before = stored(ahead)
    turn(ahead.world.shop(DOMAIN), 1)
    ahead.server.sandbox.tokens.expire_access(DOMAIN)
    with child(ahead.environ, DOMAIN, at=At("token", 1)) as killed:
        killed.go()
        assert killed.hear() is None
        assert killed.ends()
    assert stored(ahead) == before
    ahead.program.clock.turn(seconds=121)
    assert ahead.publish(DOMAIN).status is Status.PUBLISHED
    assert [call.outcome for call in asked_for_tokens(ahead)] == ["ok", "ok"]
    assert stored(ahead).refresh_token != before.refresh_token
    assert left_behind(ahead, DOMAIN) == ""
    ahead.server.sandbox.tokens.expire_access(DOMAIN)
    ahead.publish(DOMAIN)
    assert status(ahead) == "installed", "and the pair it got goes on living"


@pytest.mark.parametrize(
    ("fault", "settings"),
    [
        ("status", {"status": 503}),
        ("http_429", {}),
        ("disconnect", {}),
        ("lost", {}),
        ("html", {}),
        ("empty", {}),
        ("truncate", {}),
    ],
)
def test_a_token_answer_that_fails_is_asked_for_again(rig, shop, fault, settings):
    log_in(rig, shop)
    rig.server.sandbox.tokens.expire_access(DOMAIN)
    rig.server.sandbox.faults.add(fault, operation="access_token", times=2, **settings)
    assert rig.publish(DOMAIN).status is Status.PUBLISHED
    assert len(asked_for_tokens(rig)) == 3


def test_a_token_endpoint_that_stays_away_ends_the_refresh_and_gives_nothing_up(rig, shop, clock):
    log_in(rig, shop)
    rig.publish(DOMAIN)
    before = rig.document_bytes(DOMAIN)
    turn(shop, 1)
    rig.server.sandbox.tokens.expire_access(DOMAIN)
    rig.server.sandbox.faults.add("status", status=502, operation="access_token", times=None)
    error = rig.refresh(DOMAIN)[DOMAIN].error
    assert isinstance(error, ShopifyUnavailable)
    assert (status(rig), rig.document_bytes(DOMAIN)) == ("installed", before)
    assert clock.slept < 60, "the turn at renewing is short"
    rig.server.sandbox.faults.clear()
    assert rig.publish(DOMAIN).status is Status.PUBLISHED


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


def test_a_renewal_that_another_process_never_ended_is_waited_for_and_then_named(rig, shop):
    log_in(rig, shop)
    rig.server.sandbox.tokens.expire_access(DOMAIN)
    began = time.monotonic()
    with (
        rig.program.installs.credential_lease(DOMAIN, "a run that hangs", 60),
        pytest.raises(Exception, match="a run that hangs renews the credential"),
        rig.program.installs.credential_lease(DOMAIN, "another", 60, wait_seconds=0.2),
    ):
        pass
    assert time.monotonic() - began < 5
