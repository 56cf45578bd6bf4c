"""Secrets at rest: bound to their shop, readable with the right keys only, and where those come from."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from salesbot_pipelines.errors import SettingsError, StateError, WrongEncryptionKey
from salesbot_pipelines.settings import load_settings
from salesbot_pipelines.state.encryption import Keyring
from salesbot_pipelines.state.engine import open_engine
from salesbot_pipelines.state.installs import Installs
from salesbot_pipelines.state.key_file import KeyFile, new_key
from salesbot_pipelines_tests.state import processes
from salesbot_pipelines_tests.state.keys_in_use import NEW, OLD, STATIC, ids, used_ids

SHOP = "one.myshopify.com"
OTHER = new_key()


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
