"""A lease gives a shop to one run, by a number that only grows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from salesbot_pipelines.errors import LeaseHeld, LeaseLost, NotInstalled
from salesbot_pipelines.state.installs import Installs
from salesbot_pipelines.state.work import ShopWork

SHOP, OTHER = "one.myshopify.com", "two.myshopify.com"
THEN = datetime(2026, 11, 25, 11, 0, tzinfo=UTC)
Turn = Callable[[float], None]


pytestmark = pytest.mark.usefixtures("two_shops")


class TestLease:
    def test_it_says_what_was_wanted_and_until_when(self, work: ShopWork) -> None:
        work.want(SHOP)
        lease = work.lease(SHOP, "run 1", 60, trigger="schedule")
        assert (lease.shop, lease.holder, lease.epoch, lease.wanted, lease.takeover) == (SHOP, "run 1", 1, 2, False)
        status = work.status(SHOP)
        assert status.state == "leased"
        assert (status.lease_owner, status.lease_until, status.last_trigger) == ("run 1", lease.until, "schedule")
        work.check(lease)

    def test_a_second_run_is_told_who_has_it_and_until_when(self, work: ShopWork) -> None:
        lease = work.lease(SHOP, "run 1", 60)
        with pytest.raises(LeaseHeld, match="run 1 until 20") as caught:
            work.lease(SHOP, "run 2", 60)
        assert (caught.value.holder, caught.value.until) == ("run 1", lease.until)
        work.check(lease)
        work.lease(OTHER, "run 2", 60)

    def test_one_that_ran_out_is_taken_over(self, work: ShopWork, turn: Turn) -> None:
        old = work.lease(SHOP, "run 1", 60)
        turn(61)
        new = work.lease(SHOP, "run 2", 60)
        assert new.takeover
        assert new.epoch == old.epoch + 1
        for late in (
            lambda: work.check(old),
            lambda: work.renew(old, 60),
            lambda: work.publish_done(old, fetched_at=THEN, revision="old"),
            lambda: work.republished(old, revision="old"),
        ):
            with pytest.raises(LeaseLost, match="run 1"):
                late()
        assert not work.failed(old, "late", retryable=True)
        assert not work.release(old)
        status = work.status(SHOP)
        assert (status.lease_owner, status.revision, status.attempts, status.done) == ("run 2", None, 0, 0)

    def test_the_same_name_and_number_are_both_needed(self, work: ShopWork) -> None:
        from dataclasses import replace

        lease = work.lease(SHOP, "run 1", 60)
        for other in (replace(lease, holder="run 2"), replace(lease, epoch=2), replace(lease, shop=OTHER)):
            with pytest.raises(LeaseLost):
                work.check(other)
            with pytest.raises(LeaseLost):
                work.renew(other, 60)

    def test_a_clean_end_is_no_takeover(self, work: ShopWork) -> None:
        assert work.release(work.lease(SHOP, "run 1", 60))
        assert not work.lease(SHOP, "run 2", 60).takeover
        work.failed(work.lease(OTHER, "run 1", 60), "503", retryable=True, nothing_written=True)
        assert not work.lease(OTHER, "run 2", 60).takeover

    def test_a_takeover_lasts_until_something_was_published_whole(self, work: ShopWork, turn: Turn) -> None:
        work.lease(SHOP, "run 1", 60)
        turn(61)
        work.release(work.lease(SHOP, "run 2", 60))
        work.failed(work.lease(SHOP, "run 3", 60), "503", retryable=True, nothing_written=True)
        lease = work.lease(SHOP, "run 4", 60)
        assert lease.takeover
        work.publish_done(lease, fetched_at=THEN, revision="r")
        assert not work.lease(SHOP, "run 5", 60).takeover

    def test_a_failure_that_may_have_written_counts_as_a_takeover(self, work: ShopWork) -> None:
        work.failed(work.lease(SHOP, "run 1", 60), "broken off", retryable=True)
        lease = work.lease(SHOP, "run 2", 60)
        assert lease.takeover
        work.republished(lease, revision="r")
        assert not work.lease(SHOP, "run 3", 60).takeover

    def test_it_can_be_renewed(self, work: ShopWork, turn: Turn) -> None:
        lease = work.lease(SHOP, "run 1", 60)
        turn(50)
        longer = work.renew(lease, 60)
        assert longer.until > lease.until - timedelta(seconds=50)
        turn(50)
        work.check(longer)
        with pytest.raises(LeaseHeld):
            work.lease(SHOP, "run 2", 60)

    def test_one_that_ran_out_can_be_renewed_while_nobody_came(self, work: ShopWork, turn: Turn) -> None:
        lease = work.lease(SHOP, "run 1", 60)
        turn(61)
        with pytest.raises(LeaseLost):
            work.check(lease)
        work.check(work.renew(lease, 60))

    def test_a_publication_counts_while_nobody_came(self, work: ShopWork, turn: Turn) -> None:
        lease = work.lease(SHOP, "run 1", 60)
        turn(61)
        work.publish_done(lease, fetched_at=THEN, revision="r1")
        assert work.status(SHOP).state == "clean"

    @pytest.mark.parametrize("seconds", [0, -1, 4 * 3600 + 1])
    def test_its_length_is_bounded(self, work: ShopWork, seconds: float) -> None:
        with pytest.raises(ValueError, match="up to"):
            work.lease(SHOP, "run", seconds)
        lease = work.lease(SHOP, "run", 60)
        with pytest.raises(ValueError, match="up to"):
            work.renew(lease, seconds)

    def test_a_shop_that_is_not_installed_has_none(self, work: ShopWork, installs: Installs) -> None:
        for ask in (work.want, work.replay, work.status, lambda shop: work.lease(shop, "run", 60)):
            with pytest.raises(NotInstalled):
                ask("absent.myshopify.com")
        installs.uninstall(SHOP)
        for ask in (work.want, lambda shop: work.lease(shop, "run", 60)):
            with pytest.raises(NotInstalled):
                ask(SHOP)

    def test_an_uninstall_ends_it(self, work: ShopWork, installs: Installs, connect: Callable[..., None]) -> None:
        lease = work.lease(SHOP, "run 1", 60)
        installs.uninstall(SHOP)
        connect(SHOP)
        with pytest.raises(LeaseLost):
            work.publish_done(lease, fetched_at=THEN, revision="r1")
        assert work.lease(SHOP, "run 2", 60).epoch > lease.epoch

    def test_numbers_grow_even_over_a_redaction(
        self, work: ShopWork, installs: Installs, connect: Callable[..., None]
    ) -> None:
        lease = work.lease(SHOP, "run", 60)
        installs.forget(SHOP)
        with pytest.raises(LeaseLost):
            work.check(lease)
        connect(SHOP)
        with pytest.raises(LeaseLost):
            work.check(lease)
        assert work.lease(SHOP, "run", 60).epoch > lease.epoch

    def test_a_name_too_long_for_its_column_still_works(self, work: ShopWork) -> None:
        lease = work.lease(SHOP, "run\0 " + "x" * 500, 60)
        work.check(work.renew(lease, 60))
