"""A shop's credential through its refreshes: renewed once, stored before use, not given up for a bad answer."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from salesbot_pipelines.errors import ShopifyUnavailable
from salesbot_pipelines.refresh.credentials import RENEW_BEFORE, InstallTokens
from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines_tests.refresh.children import At, child, renewing
from salesbot_pipelines_tests.refresh.comparing import left_behind
from salesbot_pipelines_tests.refresh.kills import AheadClock
from salesbot_pipelines_tests.refresh.logging_in import asked_for_tokens, expire, log_in, refused, status, stored
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, small_shop, turn
from salesbot_pipelines_tests.rig import open_rig


@pytest.fixture
def shop(world, clock):
    made = world.add(small_shop(clock))
    made.bucket.unlimited = True
    return made


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


def test_a_renewal_that_another_process_never_ended_is_waited_for_and_then_named(rig, shop):
    log_in(rig, shop)
    rig.server.sandbox.tokens.expire_access(DOMAIN)
    with (
        rig.program.installs.credential_lease(DOMAIN, "a run that hangs", 60),
        pytest.raises(Exception, match="a run that hangs renews the credential"),
        rig.program.installs.credential_lease(DOMAIN, "another", 60, wait_seconds=0.2),
    ):
        pass
