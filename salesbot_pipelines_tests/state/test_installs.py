"""Installs: one transaction each, an owner for life, and a credential that only grows newer."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, update

from salesbot_pipelines.errors import LeaseHeld, NeedsReauth, NotInstalled, StateError, WrongEncryptionKey
from salesbot_pipelines.state import tables
from salesbot_pipelines.state.encryption import Keyring
from salesbot_pipelines.state.installs import Credential, Install, Installs
from salesbot_pipelines.state.key_file import new_key
from salesbot_pipelines.state.texts import clean
from salesbot_pipelines.state.transactions import reading, writing
from salesbot_pipelines_tests.state import processes

SHOP, OTHER = "one.myshopify.com", "two.myshopify.com"
LATER = datetime(2027, 1, 1, tzinfo=UTC)
PAIR = Credential(
    kind="pair", access_token="shpat_a", expires_at=LATER, refresh_token="shprt_a", refresh_expires_at=LATER
)
NEXT = Credential(kind="pair", access_token="shpat_b", expires_at=LATER, refresh_token="shprt_b")
STATIC = Credential(kind="static", access_token="shpat_s")


def connected(installs: Installs, shop: str = SHOP, credential: Credential = PAIR) -> Install:
    return installs.connect(shop, credential, owner=None, scopes=["read_products", "read_locations"])


def rows_of(engine: Engine, shop: str) -> dict[str, int]:
    with reading(engine) as connection:
        return {
            table.name: connection.execute(select(func.count()).where(table.c.shop == shop)).scalar_one()
            for table in tables.metadata.sorted_tables
            if "shop" in table.c
        }


class TestCredential:
    SECRETS = st.text(min_size=8, alphabet="xyz0")

    @given(access=SECRETS, refresh=SECRETS, secret=SECRETS)
    def test_its_repr_holds_no_secret_and_its_bytes_hold_all(self, access: str, refresh: str, secret: str) -> None:
        made = Credential("client_credentials", access, LATER, refresh, LATER, "id", secret)
        assert Credential.from_bytes(made.to_bytes()) == made
        for hidden in (access, refresh, secret):
            assert hidden not in repr(made)

    @pytest.mark.parametrize("stored", [b"", b"{}", b'{"kind":"geheim"}', b"[1]"])
    def test_malformed_bytes_are_refused_without_quoting_them(self, stored: bytes) -> None:
        with pytest.raises(StateError, match="malformed") as caught:
            Credential.from_bytes(stored)
        assert "geheim" not in caught.value.public_text


class TestConnecting:
    def test_a_new_shop_gets_an_owner_a_credential_and_work(self, installs: Installs, engine: Engine) -> None:
        install = connected(installs)
        assert uuid.UUID(install.owner).version == 4
        assert install.status == "installed"
        assert install.is_connected
        assert install.scopes == ("read_locations", "read_products")
        assert (install.access_expires_at, install.refresh_expires_at) == (LATER, LATER)
        assert installs.find(SHOP) == installs.require(SHOP) == install
        assert installs.credential(SHOP) == PAIR
        with reading(engine) as connection:
            work = connection.execute(select(tables.shop_work)).one()
        assert (work.wanted, work.done, work.lease_epoch, work.parked) == (1, 0, 0, False)
        assert work.wanted_since is not None

    def test_the_token_is_not_readable_in_the_database(self, installs: Installs, engine: Engine) -> None:
        connected(installs)
        with reading(engine) as connection:
            row = connection.execute(select(tables.installs)).one()
        assert "shpat_a" not in str(tuple(row))
        assert "shprt_a" not in str(tuple(row))

    def test_an_owner_can_be_lent(self, installs: Installs) -> None:
        owner = str(uuid.uuid4())
        assert installs.connect(SHOP, PAIR, owner=owner.upper(), scopes=[]).owner == owner

    def test_an_owner_that_is_no_uuid_is_refused(self, installs: Installs) -> None:
        with pytest.raises(ValueError, match="UUID"):
            installs.connect(SHOP, PAIR, owner="../other", scopes=[])

    def test_a_shop_keeps_its_owner_over_a_reinstall(self, installs: Installs, turn: Callable[[float], None]) -> None:
        first = connected(installs)
        installs.uninstall(SHOP)
        turn(60)
        again = installs.connect(SHOP, NEXT, owner=str(uuid.uuid4()), scopes=["read_products"])
        assert again.owner == first.owner
        assert again.status == "installed"
        assert again.scopes == ("read_products",)
        assert again.installed_at > first.installed_at
        assert installs.credential(SHOP) == NEXT

    def test_a_reinstall_gives_parked_work_a_new_chance(self, installs: Installs, engine: Engine) -> None:
        connected(installs)
        with writing(engine) as connection:
            connection.execute(
                update(tables.shop_work).values(parked=True, attempts=9, last_error="x", next_try_at=LATER)
            )
        connected(installs)
        with reading(engine) as connection:
            work = connection.execute(select(tables.shop_work)).one()
        assert (work.parked, work.attempts, work.last_error, work.next_try_at, work.wanted) == (
            False,
            0,
            None,
            None,
            2,
        )

    def test_a_crash_before_the_commit_leaves_nothing(
        self, installs: Installs, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def crash(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("salesbot_pipelines.state.installs.mark_wanted", crash)
        with pytest.raises(KeyboardInterrupt):
            connected(installs)
        assert sum(rows_of(engine, SHOP).values()) == 0

    def test_ten_first_installs_at_once_make_one_owner(self, installs: Installs, engine: Engine) -> None:
        owners: list[str] = []
        threads = [threading.Thread(target=lambda: owners.append(connected(installs).owner)) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(owners) == 10
        assert len(set(owners)) == 1
        with reading(engine) as connection:
            assert connection.execute(select(tables.shop_work.c.wanted)).scalar_one() == 10


class TestReading:
    def test_shops_come_in_the_order_of_their_first_install(self, installs: Installs) -> None:
        names = ["c.myshopify.com", "a.myshopify.com", "b.myshopify.com"]
        for name in names:
            connected(installs, name)
        installs.uninstall("a.myshopify.com")
        installs.mark_needs_reauth("b.myshopify.com", "why")
        assert [install.shop for install in installs.all()] == names
        assert [install.shop for install in installs.connected()] == ["c.myshopify.com", "b.myshopify.com"]
        assert [install.shop for install in installs.all("installed")] == ["c.myshopify.com"]
        connected(installs, "a.myshopify.com")
        assert [install.shop for install in installs.connected()] == names

    def test_an_unknown_shop_is_not_installed(self, installs: Installs) -> None:
        assert installs.find(SHOP) is None
        for ask in (installs.require, installs.credential, installs.clear_reauth):
            with pytest.raises(NotInstalled, match=SHOP):
                ask(SHOP)

    def test_a_row_pasted_to_another_shop_does_not_open(self, installs: Installs, engine: Engine) -> None:
        connected(installs)
        connected(installs, OTHER, STATIC)
        with writing(engine) as connection:
            rows = dict(connection.execute(select(tables.installs.c.shop, tables.installs.c.credential)).all())
            for shop, foreign in ((SHOP, OTHER), (OTHER, SHOP)):
                connection.execute(
                    update(tables.installs).where(tables.installs.c.shop == shop).values(credential=rows[foreign])
                )
        for shop in (SHOP, OTHER):
            with pytest.raises(StateError, match=shop):
                installs.credential(shop)

    def test_another_keyring_is_wrong_and_not_no_token(self, installs: Installs, engine: Engine) -> None:
        connected(installs)
        with pytest.raises(WrongEncryptionKey):
            Installs(engine, Keyring([new_key()])).credential(SHOP)


class TestReplacingACredential:
    def test_the_one_replaced_must_be_the_one_stored(self, installs: Installs) -> None:
        connected(installs)
        assert installs.store_credential(SHOP, NEXT, replaces="shpat_a", scopes=["read_products"])
        assert installs.credential(SHOP) == NEXT
        assert installs.require(SHOP).refresh_expires_at is None
        assert installs.require(SHOP).scopes == ("read_products",)

    def test_a_late_pair_does_not_overwrite_a_newer_one(self, installs: Installs) -> None:
        connected(installs)
        assert installs.store_credential(SHOP, NEXT, replaces="shpat_a")
        late = Credential(kind="pair", access_token="shpat_late", refresh_token="shprt_late")
        assert not installs.store_credential(SHOP, late, replaces="shpat_a")
        assert installs.credential(SHOP) == NEXT
        assert installs.require(SHOP).scopes == ("read_locations", "read_products")

    def test_an_uninstalled_shop_takes_none(self, installs: Installs) -> None:
        connected(installs)
        installs.uninstall(SHOP)
        with pytest.raises(NotInstalled):
            installs.store_credential(SHOP, NEXT, replaces="shpat_a")

    def test_the_turn_is_one_callers_at_a_time(self, installs: Installs) -> None:
        connected(installs)
        with installs.credential_lease(SHOP, "first", 60) as credential:
            assert credential == PAIR
            with (
                pytest.raises(LeaseHeld, match="first") as caught,
                installs.credential_lease(SHOP, "second", 60, wait_seconds=0.1),
            ):
                pass
        assert caught.value.holder == "first"
        assert caught.value.until.tzinfo is not None
        with installs.credential_lease(SHOP, "second", 60, wait_seconds=0):
            pass

    def test_it_is_given_back_after_an_error(self, installs: Installs) -> None:
        connected(installs)
        with pytest.raises(RuntimeError), installs.credential_lease(SHOP, "first", 60):
            raise RuntimeError
        with installs.credential_lease(SHOP, "second", 60, wait_seconds=0):
            pass

    def test_one_that_ran_out_goes_to_the_next_and_is_not_given_back_twice(
        self, installs: Installs, turn: Callable[[float], None]
    ) -> None:
        connected(installs)
        with installs.credential_lease(SHOP, "slow", 60):
            turn(61)
            with installs.credential_lease(SHOP, "second", 60, wait_seconds=0):
                pass
            take = installs.credential_lease(SHOP, "third", 60, wait_seconds=0)
            take.__enter__()
        with pytest.raises(LeaseHeld, match="third"), installs.credential_lease(SHOP, "fourth", 60, wait_seconds=0):
            pass
        take.__exit__(None, None, None)

    @pytest.mark.parametrize("seconds", [0, -1, 301])
    def test_its_length_is_bounded(self, installs: Installs, seconds: float) -> None:
        with pytest.raises(ValueError, match="300"), installs.credential_lease(SHOP, "x", seconds):
            pass

    def test_an_unknown_shop_has_no_turn(self, installs: Installs) -> None:
        with pytest.raises(NotInstalled), installs.credential_lease(SHOP, "x", 1):
            pass

    def test_two_processes_renew_once(self, installs: Installs, database_url: str, key: str) -> None:
        connected(installs)
        with processes.two() as pool:
            said = list(
                pool.map(partial(processes.renew_credential, database_url, key, SHOP, "shpat_a"), ("first", "second"))
            )
        assert sorted(said) == ["asked", "found"]


class TestNeedsReauth:
    def test_it_is_marked_with_its_reason_and_cleared(self, installs: Installs) -> None:
        connected(installs)
        assert installs.mark_needs_reauth(SHOP, "scope read_products\nis missing\0")
        install = installs.require(SHOP)
        assert (install.status, install.reauth_reason) == ("needs_reauth", "scope read_products is missing")
        assert installs.credential(SHOP) == PAIR
        installs.clear_reauth(SHOP)
        install = installs.require(SHOP)
        assert (install.status, install.reauth_reason) == ("installed", None)

    def test_a_new_login_clears_it(self, installs: Installs) -> None:
        connected(installs)
        installs.mark_needs_reauth(SHOP, "dead")
        assert connected(installs).status == "installed"
        assert installs.require(SHOP).reauth_reason is None

    def test_a_run_with_the_former_token_does_not_spoil_the_new_login(self, installs: Installs) -> None:
        connected(installs)
        connected(installs, SHOP, NEXT)
        assert not installs.mark_needs_reauth(SHOP, "401", rejected="shpat_a")
        assert installs.require(SHOP).status == "installed"
        assert installs.mark_needs_reauth(SHOP, "401", rejected="shpat_b")

    def test_without_a_credential_it_cannot_be_cleared(self, installs: Installs, engine: Engine) -> None:
        connected(installs)
        with writing(engine) as connection:
            connection.execute(
                update(tables.installs).values(
                    credential=None, key_id=None, status="needs_reauth", reauth_reason="lost"
                )
            )
        installs.clear_reauth(SHOP)
        assert installs.require(SHOP).status == "needs_reauth"
        assert not installs.mark_needs_reauth(SHOP, "401", rejected="shpat_a")
        with pytest.raises(NeedsReauth, match="lost"):
            installs.credential(SHOP)


class TestLeaving:
    def test_an_uninstall_takes_the_credential_and_keeps_the_owner(self, installs: Installs, engine: Engine) -> None:
        before = connected(installs)
        assert installs.uninstall(SHOP)
        assert not installs.uninstall(SHOP)
        install = installs.find(SHOP)
        assert install is not None
        assert (install.status, install.owner) == ("uninstalled", before.owner)
        assert install.access_expires_at is None
        for ask in (installs.require, installs.credential):
            with pytest.raises(NotInstalled):
                ask(SHOP)
        with reading(engine) as connection:
            row = connection.execute(select(tables.installs)).one()
            assert (row.credential, row.key_id) == (None, None)
            assert connection.execute(select(tables.shop_work.c.lease_epoch)).scalar_one() == 1

    def test_a_late_uninstall_does_not_hit_the_new_install(self, installs: Installs) -> None:
        connected(installs)
        connected(installs, SHOP, NEXT)
        assert not installs.uninstall(SHOP, probed="shpat_a")
        assert installs.credential(SHOP) == NEXT
        assert installs.uninstall(SHOP, probed="shpat_b")

    def test_nobody_can_uninstall_a_shop_we_do_not_know(self, installs: Installs) -> None:
        assert not installs.uninstall(SHOP)

    def test_forgetting_leaves_one_line(self, installs: Installs, engine: Engine) -> None:
        connected(installs)
        connected(installs, OTHER)
        assert installs.forget(SHOP, note="shop/redact 17")
        left = {name: count for name, count in rows_of(engine, SHOP).items() if count}
        assert left == {"audit": 1}
        assert rows_of(engine, OTHER)["installs"] == 1
        with reading(engine) as connection:
            line = connection.execute(select(tables.audit)).one()
        assert line.act == "forgotten"
        assert line.note.endswith("1 installs; shop/redact 17")
        assert not installs.forget(SHOP)

    def test_a_shop_that_came_back_is_not_forgotten(self, installs: Installs) -> None:
        connected(installs)
        assert not installs.forget(SHOP, unless_connected=True)
        installs.uninstall(SHOP)
        assert installs.forget(SHOP, unless_connected=True)

    def test_one_that_comes_back_afterwards_is_somebody_new(self, installs: Installs, engine: Engine) -> None:
        owner = connected(installs).owner
        with writing(engine) as connection:
            connection.execute(update(tables.shop_work).values(lease_epoch=41))
        installs.forget(SHOP)
        assert connected(installs).owner != owner
        with reading(engine) as connection:
            assert connection.execute(select(tables.shop_work.c.lease_epoch)).scalar_one() == 41


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_cleaned_text_fits_any_column(text: str, longest: int) -> None:
    cleaned = clean(text, longest)
    assert len(cleaned) <= longest
    assert "\0" not in cleaned
    assert "\n" not in cleaned
    cleaned.encode("utf-8")
