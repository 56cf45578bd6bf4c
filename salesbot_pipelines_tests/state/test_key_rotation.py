"""Secrets move from an old key to a new one, whatever happens meanwhile; what a lost key held is given up."""

from __future__ import annotations

import multiprocessing
import threading

import pytest
from sqlalchemy import Engine, select, update

from salesbot_pipelines.errors import NeedsReauth, StateError, WrongEncryptionKey
from salesbot_pipelines.state import tables
from salesbot_pipelines.state.encryption import Keyring
from salesbot_pipelines.state.installs import Credential, Installs
from salesbot_pipelines.state.rotation import abandon_lost_keys, rotate
from salesbot_pipelines.state.transactions import writing
from salesbot_pipelines_tests.state import processes
from salesbot_pipelines_tests.state.keys_in_use import NEW, OLD, STATIC, ids, used_ids


def fill(engine: Engine, shops: int) -> list[str]:
    ring = Keyring([OLD])
    ring.ensure_key_check(engine)
    names = [f"shop-{number}.myshopify.com" for number in range(shops)]
    for name in names:
        Installs(engine, ring).connect(name, Credential(kind="static", access_token=f"token of {name}"), scopes=[])
    return names


class TestRotation:
    def test_everything_moves_and_the_old_key_can_go(self, engine: Engine) -> None:
        names = fill(engine, 3)
        both = Keyring([NEW, OLD])
        assert rotate(engine, both) == 3
        assert rotate(engine, both) == 0
        assert ids(engine) == {both.primary_id}
        new = Keyring([NEW])
        new.ensure_key_check(engine)
        for name in names:
            assert Installs(engine, new).credential(name).access_token == f"token of {name}"

    def test_one_that_was_killed_half_way_is_continued(self, engine: Engine, database_url: str) -> None:
        names = fill(engine, 12)
        child = multiprocessing.get_context("spawn").Process(
            target=processes.rotate_and_die, args=(database_url, [NEW, OLD], 8)
        )
        child.start()
        child.join()
        assert child.exitcode == -9
        both = Keyring([NEW, OLD])
        assert 0 < used_ids(engine).count(both.primary_id) < 12
        with pytest.raises(WrongEncryptionKey):
            Keyring([NEW]).ensure_key_check(engine)
        for name in names:
            assert Installs(engine, both).credential(name).access_token == f"token of {name}"
        assert rotate(engine, both) > 0
        assert set(used_ids(engine)) == {both.primary_id}
        Keyring([NEW]).ensure_key_check(engine)

    def test_it_works_under_traffic(self, engine: Engine) -> None:
        names = fill(engine, 30)
        both = Keyring([NEW, OLD])
        both.ensure_key_check(engine)
        stop = threading.Event()
        written: dict[str, str] = dict.fromkeys(names, "")

        def write() -> None:
            mine = Installs(engine, both)
            for round_number in range(1000):
                for name in names:
                    if stop.is_set():
                        return
                    present = mine.credential(name).access_token
                    fresh = f"{name} {round_number}"
                    assert mine.store_credential(
                        name, Credential(kind="static", access_token=fresh), replaces=present
                    )
                    written[name] = fresh

        thread = threading.Thread(target=write)
        thread.start()
        rotate(engine, both)
        stop.set()
        thread.join()
        new = Installs(engine, Keyring([NEW]))
        for name, token in written.items():
            assert new.credential(name).access_token in (token, f"token of {name}")

    def test_a_process_from_before_cannot_write_under_the_retired_key(self, engine: Engine) -> None:
        names = fill(engine, 1)
        stale = Installs(engine, Keyring([OLD]))
        rotate(engine, Keyring([NEW, OLD]))
        with pytest.raises(WrongEncryptionKey, match="no longer") as caught:
            stale.connect(names[0], STATIC, owner=None, scopes=[])
        assert "start this process again" in caught.value.advice
        assert Installs(engine, Keyring([NEW])).credential(names[0]).access_token == f"token of {names[0]}"

    def test_it_goes_round_again_for_a_row_written_under_an_old_key_meanwhile(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(engine, 1)
        stale = Installs(engine, Keyring([OLD]))
        both = Keyring([NEW, OLD])
        from salesbot_pipelines.state import rotation

        retire, rounds = rotation._retire, []

        def late_writer_first(engine: Engine, keyring: Keyring) -> bool:
            if not rounds:
                stale.connect("late.myshopify.com", STATIC, owner=None, scopes=[])
            rounds.append(1)
            return retire(engine, keyring)

        monkeypatch.setattr(rotation, "_retire", late_writer_first)
        assert rotate(engine, both) == 2
        assert len(rounds) == 2
        assert set(used_ids(engine)) == {both.primary_id}

    def test_uninstalled_shops_have_nothing_to_move(self, engine: Engine) -> None:
        names = fill(engine, 2)
        Installs(engine, Keyring([OLD])).uninstall(names[0])
        assert rotate(engine, Keyring([NEW, OLD])) == 1

    def test_a_shop_uninstalled_in_between_is_left(self, engine: Engine) -> None:
        from salesbot_pipelines.state import rotation

        fill(engine, 1)
        with writing(engine) as connection:
            assert rotation._rotate_one(connection, Keyring([NEW, OLD]), rotation.SECRETS[0], 999, []) == 0

    def test_a_row_that_cannot_be_read_is_named_and_the_others_move(self, engine: Engine) -> None:
        names = fill(engine, 3)
        with writing(engine) as connection:
            row = connection.execute(select(tables.installs).where(tables.installs.c.shop == names[0])).one()
            connection.execute(
                update(tables.installs).where(tables.installs.c.shop == names[1]).values(credential=row.credential)
            )
        both = Keyring([NEW, OLD])
        with pytest.raises(StateError, match=names[1]):
            rotate(engine, both)
        assert used_ids(engine).count(both.primary_id) == 2
        both.ensure_key_check(engine)
        Installs(engine, both).connect(names[1], STATIC, owner=None, scopes=[])
        assert rotate(engine, both) == 0
        Keyring([NEW]).ensure_key_check(engine)


class TestALostKey:
    def test_its_shops_must_come_again_and_nothing_else_is_lost(self, engine: Engine) -> None:
        names = fill(engine, 2)
        owner = Installs(engine, Keyring([OLD])).require(names[0]).owner
        ring = Keyring([NEW])
        assert abandon_lost_keys(engine, ring) == names
        ring.ensure_key_check(engine)
        installs = Installs(engine, ring)
        assert installs.require(names[0]).status == "needs_reauth"
        with pytest.raises(NeedsReauth, match="key was lost"):
            installs.credential(names[0])
        again = installs.connect(names[0], STATIC, owner=None, scopes=[])
        assert (again.owner, again.status) == (owner, "installed")

    def test_keys_at_hand_are_kept(self, engine: Engine) -> None:
        names = fill(engine, 1)
        both = Keyring([NEW, OLD])
        assert abandon_lost_keys(engine, both) == []
        assert Installs(engine, both).credential(names[0]).access_token == f"token of {names[0]}"
