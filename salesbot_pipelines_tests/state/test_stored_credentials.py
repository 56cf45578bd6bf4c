"""A credential that only grows newer, and what is left when it is dead."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, update

from salesbot_pipelines.errors import LeaseHeld, NeedsReauth, NotInstalled, StateError
from salesbot_pipelines.state import tables
from salesbot_pipelines.state.installs import Credential, Installs
from salesbot_pipelines.state.transactions import writing
from salesbot_pipelines_tests.state import processes
from salesbot_pipelines_tests.state.connecting import LATER, NEXT, PAIR, SHOP, connected


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
