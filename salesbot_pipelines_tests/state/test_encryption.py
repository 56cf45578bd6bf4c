"""Secrets at rest: bound to their shop, readable with the right keys only, movable to new ones."""

from __future__ import annotations

import multiprocessing
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from salesbot_pipelines.errors import NeedsReauth, SettingsError, StateError, WrongEncryptionKey
from salesbot_pipelines.settings import load_settings
from salesbot_pipelines.state import tables
from salesbot_pipelines.state.encryption import Keyring
from salesbot_pipelines.state.engine import open_engine
from salesbot_pipelines.state.installs import Credential, Installs
from salesbot_pipelines.state.key_file import KeyFile, new_key
from salesbot_pipelines.state.rotation import abandon_lost_keys, rotate
from salesbot_pipelines.state.transactions import reading, writing
from salesbot_pipelines_tests.state import processes

SHOP = "one.myshopify.com"
OLD, NEW, OTHER = new_key(), new_key(), new_key()
STATIC = Credential(kind="static", access_token="shpat_canary")


def ids(engine: Engine) -> set[str]:
    with reading(engine) as connection:
        return set(connection.execute(select(tables.encryption_keys.c.key_id)).scalars())


def used_ids(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(select(tables.installs.c.key_id).order_by(tables.installs.c.seq)).scalars())


class TestKeyring:
    @settings(max_examples=30)
    @given(shop=st.text(min_size=1), plaintext=st.binary())
    def test_what_is_written_can_be_read(self, shop: str, plaintext: bytes) -> None:
        shop = shop.encode("utf-8", "replace").decode()
        ring = Keyring([NEW])
        assert ring.decrypt(shop, ring.encrypt(shop, plaintext)) == plaintext

    def test_older_keys_can_be_read_and_the_newest_writes(self) -> None:
        old, both, new = Keyring([OLD]), Keyring([NEW, OLD]), Keyring([NEW])
        assert both.decrypt(SHOP, old.encrypt(SHOP, b"x")) == b"x"
        assert new.decrypt(SHOP, both.encrypt(SHOP, b"x")) == b"x"
        assert both.primary_id == new.primary_id
        with pytest.raises(WrongEncryptionKey, match="no key can read"):
            new.decrypt(SHOP, old.encrypt(SHOP, b"x"))

    def test_a_row_of_another_shop_does_not_open(self) -> None:
        ring = Keyring([NEW])
        with pytest.raises(StateError, match="something else"):
            ring.decrypt("two.myshopify.com", ring.encrypt(SHOP, b"x"))

    def test_a_control_event_is_no_credential(self) -> None:
        ring = Keyring([NEW])
        with pytest.raises(StateError, match="something else"):
            ring.decrypt(SHOP, ring.encrypt(SHOP, b"x", purpose="control event"))

    def test_the_shop_cannot_run_into_the_plaintext(self) -> None:
        ring = Keyring([NEW])
        with pytest.raises(StateError):
            ring.decrypt("a", ring.encrypt("ab", b"x"))

    @pytest.mark.parametrize("keys", [[], ["geheim"], [NEW, "geheim"]])
    def test_malformed_keys_are_refused_without_quoting_them(self, keys: list[str]) -> None:
        with pytest.raises(SettingsError) as caught:
            Keyring(keys)
        assert "geheim" not in caught.value.public_text

    def test_the_repr_shows_ids_only(self) -> None:
        ring = Keyring([NEW, OLD])
        assert NEW not in repr(ring)
        assert OLD not in repr(ring)
        assert ring.primary_id in repr(ring)


class TestKeyCheck:
    def test_the_first_start_enters_the_key(self, engine: Engine) -> None:
        Keyring([NEW]).ensure_key_check(engine)
        Keyring([NEW]).ensure_key_check(engine)
        assert ids(engine) == {Keyring([NEW]).primary_id}

    @pytest.mark.parametrize("given_keys", [[OTHER], [OTHER, NEW]])
    def test_a_wrong_or_missing_key_stops_the_start(self, engine: Engine, given_keys: list[str]) -> None:
        Keyring([OLD]).ensure_key_check(engine)
        before = ids(engine)
        with pytest.raises(WrongEncryptionKey, match=Keyring([OLD]).primary_id) as caught:
            Keyring(given_keys).ensure_key_check(engine)
        assert "every merchant" in caught.value.advice
        assert ids(engine) == before
        Keyring([NEW, OLD]).ensure_key_check(engine)

    def test_a_wrong_key_leaves_the_bytes_of_the_database(self, home: Path) -> None:
        engine = open_engine("", home)
        ring = Keyring([OLD])
        ring.ensure_key_check(engine)
        Installs(engine, ring).connect(SHOP, STATIC, owner=None, scopes=[])
        engine.dispose()
        before = (home / "state.db").read_bytes()
        again = open_engine("", home)
        with pytest.raises(WrongEncryptionKey):
            Keyring([OTHER]).ensure_key_check(again)
        again.dispose()
        assert (home / "state.db").read_bytes() == before
        assert b"shpat_canary" not in before

    def test_nothing_is_written_under_a_key_that_was_not_entered(self, engine: Engine) -> None:
        with pytest.raises(WrongEncryptionKey, match="not, or no longer"):
            Installs(engine, Keyring([NEW])).connect(SHOP, STATIC, owner=None, scopes=[])
        assert used_ids(engine) == []


class TestWhereKeysComeFrom:
    def test_the_settings(self, tmp_path: Path) -> None:
        given_settings = load_settings(
            {"SALESBOT_ENCRYPTION_KEYS": f"{NEW},{OLD}", "SALESBOT_HOME": str(tmp_path / "h")}
        )
        assert Keyring.from_settings(given_settings).key_ids == Keyring([NEW, OLD]).key_ids
        assert not (tmp_path / "h").exists()

    def test_a_file_that_nobody_else_can_read(self, tmp_path: Path) -> None:
        given_settings = load_settings({"SALESBOT_HOME": str(tmp_path / "home")})
        first = Keyring.from_settings(given_settings)
        assert Keyring.from_settings(given_settings).key_ids == first.key_ids
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "home").iterdir()}
        assert modes == {"encryption.keys": 0o600, "encryption.keys.lock": 0o600}

    def test_never_a_file_beside_a_foreign_database(self, tmp_path: Path) -> None:
        from dataclasses import replace

        given_settings = replace(
            load_settings({"SALESBOT_HOME": str(tmp_path)}), database_url="postgresql+psycopg2://h/d"
        )
        with pytest.raises(SettingsError, match="SALESBOT_ENCRYPTION_KEYS"):
            Keyring.from_settings(given_settings)

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
    def test_a_file_that_others_may_read_is_refused(self, tmp_path: Path, mode: int) -> None:
        tmp_path.chmod(0o700)
        KeyFile(tmp_path).read_or_create()
        (tmp_path / "encryption.keys").chmod(mode)
        with pytest.raises(StateError, match="read by others"):
            KeyFile(tmp_path).read_or_create()

    @pytest.mark.parametrize(("content", "why"), [(b"\n", "empty"), (b"\xff", "cannot be read")])
    def test_a_spoilt_file_is_not_replaced(self, tmp_path: Path, content: bytes, why: str) -> None:
        tmp_path.chmod(0o700)
        (tmp_path / "encryption.keys").touch(mode=0o600)
        (tmp_path / "encryption.keys").write_bytes(content)
        with pytest.raises(StateError, match=why):
            KeyFile(tmp_path).read_or_create()
        assert (tmp_path / "encryption.keys").read_bytes() == content

    def test_two_processes_agree_on_one_key(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        with processes.two() as pool:
            for attempt in range(10):
                first, second = pool.map(processes.make_key_file, [f"{home}{attempt}"] * 2)
                assert first == second

    def test_a_rotation_adds_and_drops(self, tmp_path: Path) -> None:
        file = KeyFile(tmp_path / "home")
        (old,) = file.read_or_create()
        assert file.add(NEW) == (NEW, old)
        assert file.add(NEW) == (NEW, old)
        file.keep_newest()
        assert file.read() == (NEW,)

    def test_there_is_nothing_to_drop(self, tmp_path: Path) -> None:
        file = KeyFile(tmp_path / "home")
        file.keep_newest()
        assert file.read() == ()


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
