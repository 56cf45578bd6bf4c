"""Sessions and log-ins: random, hashed at rest, ending in time, and a log-in's state good once."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, func, select

from salesbot_pipelines.state import tables
from salesbot_pipelines.state.installs import Installs
from salesbot_pipelines.state.sessions import OAuthStates, Sessions
from salesbot_pipelines.state.transactions import reading
from salesbot_pipelines_tests.state.conftest import TurnableClock

SHOP, OTHER = "one.myshopify.com", "two.myshopify.com"
OWNER = "5f0c2f54-0c4b-4a58-9a1c-1f7b9f1f6f00"
Turn = Callable[[float], None]


@pytest.fixture
def sessions(engine: Engine, clock: TurnableClock) -> Sessions:
    return Sessions(engine, clock)


@pytest.fixture
def states(engine: Engine, clock: TurnableClock) -> OAuthStates:
    return OAuthStates(engine, clock)


def count(engine: Engine, name: str) -> int:
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(tables.metadata.tables[name])).scalar_one()


class TestSessions:
    def test_a_token_finds_its_session_until_it_expires(self, sessions: Sessions, turn: Turn) -> None:
        token = sessions.begin(SHOP, OWNER, lifetime_seconds=60)
        found = sessions.find(token)
        assert found is not None
        assert (found.shop, found.owner) == (SHOP, OWNER)
        turn(59)
        assert sessions.find(token) is not None
        turn(2)
        assert sessions.find(token) is None

    def test_tokens_are_long_and_different_and_not_in_the_database(self, sessions: Sessions, engine: Engine) -> None:
        tokens = {sessions.begin(SHOP, OWNER, lifetime_seconds=60) for _ in range(10)}
        assert len(tokens) == 10
        assert min(map(len, tokens)) >= 43
        with reading(engine) as connection:
            stored = str(connection.execute(select(tables.sessions)).all())
        assert not any(token in stored for token in tokens)

    @pytest.mark.parametrize("token", ["", "x", "\0", "\ud800", "ü" * 1000])
    def test_an_unknown_token_finds_nothing(self, sessions: Sessions, token: str) -> None:
        sessions.begin(SHOP, OWNER, lifetime_seconds=60)
        assert sessions.find(token) is None

    def test_it_can_be_ended(self, sessions: Sessions) -> None:
        token, other = (sessions.begin(SHOP, OWNER, lifetime_seconds=60) for _ in range(2))
        sessions.end(token)
        sessions.end(token)
        assert sessions.find(token) is None
        assert sessions.find(other) is not None

    def test_old_ones_are_swept_away(self, sessions: Sessions, engine: Engine, turn: Turn) -> None:
        for _ in range(3):
            sessions.begin(SHOP, OWNER, lifetime_seconds=60)
        turn(61)
        sessions.begin(SHOP, OWNER, lifetime_seconds=60)
        assert count(engine, "sessions") == 1


class TestLogins:
    def test_a_state_is_good_once(self, states: OAuthStates) -> None:
        state = states.begin(SHOP, "browser")
        assert len(state) >= 43
        assert states.consume(state, shop=SHOP, browser="browser")
        assert not states.consume(state, shop=SHOP, browser="browser")

    @pytest.mark.parametrize(("shop", "browser"), [(OTHER, "browser"), (SHOP, "another"), (SHOP, "")])
    def test_only_for_its_shop_and_browser_and_then_it_is_burnt(
        self, states: OAuthStates, shop: str, browser: str
    ) -> None:
        state = states.begin(SHOP, "browser")
        assert not states.consume(state, shop=shop, browser=browser)
        assert not states.consume(state, shop=SHOP, browser="browser")

    def test_only_for_ten_minutes(self, states: OAuthStates, turn: Turn) -> None:
        state = states.begin(SHOP, "browser")
        turn(601)
        assert not states.consume(state, shop=SHOP, browser="browser")
        for seconds in (0, 601):
            with pytest.raises(ValueError, match="600"):
                states.begin(SHOP, "browser", lifetime_seconds=seconds)

    def test_a_clock_set_back_does_not_stretch_it(self, sqlite_engine: Engine, clock: TurnableClock) -> None:
        states = OAuthStates(sqlite_engine, clock)
        state = states.begin(SHOP, "browser")
        clock.turn(-3600)
        assert not states.consume(state, shop=SHOP, browser="browser")

    def test_an_unknown_state_is_none(self, states: OAuthStates) -> None:
        assert not states.consume("\ud800", shop=SHOP, browser="browser")

    def test_of_twenty_that_use_it_at_once_one_gets_in(self, states: OAuthStates) -> None:
        state = states.begin(SHOP, "browser")
        answers: list[bool] = []
        threads = [
            threading.Thread(target=lambda: answers.append(states.consume(state, shop=SHOP, browser="browser")))
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [False] * 19 + [True]

    def test_those_that_never_came_back_are_swept_away(self, states: OAuthStates, engine: Engine, turn: Turn) -> None:
        for _ in range(3):
            states.begin(SHOP, "browser")
        turn(601)
        states.begin(SHOP, "browser")
        assert count(engine, "oauth_states") == 1


def test_an_uninstall_ends_the_shops_sessions_and_logins(
    sessions: Sessions, states: OAuthStates, installs: Installs, connect: Callable[..., None]
) -> None:
    connect(SHOP, OTHER)
    mine, theirs = (sessions.begin(shop, OWNER, lifetime_seconds=60) for shop in (SHOP, OTHER))
    state = states.begin(SHOP, "browser")
    installs.uninstall(SHOP)
    assert sessions.find(mine) is None
    assert sessions.find(theirs) is not None
    assert not states.consume(state, shop=SHOP, browser="browser")
