"""Installs: one transaction each, and an owner for life."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, update

from salesbot_pipelines.errors import NotInstalled, StateError, WrongEncryptionKey
from salesbot_pipelines.state import tables
from salesbot_pipelines.state.encryption import Keyring
from salesbot_pipelines.state.installs import Installs
from salesbot_pipelines.state.key_file import new_key
from salesbot_pipelines.state.texts import clean
from salesbot_pipelines.state.transactions import reading, writing
from salesbot_pipelines_tests.state.connecting import LATER, NEXT, OTHER, PAIR, SHOP, STATIC, connected


def rows_of(engine: Engine, shop: str) -> dict[str, int]:
    with reading(engine) as connection:
        return {
            table.name: connection.execute(select(func.count()).where(table.c.shop == shop)).scalar_one()
            for table in tables.metadata.sorted_tables
            if "shop" in table.c
        }


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
