"""Who is logged in, and which log-ins have begun.

Both are random tokens that only the browser holds; the database keeps their hashes. A session lends
its owner to the next shop of the same person. A log-in's state is good once, for ten minutes, for the
shop and the browser it was made for.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Table, delete, insert, select

from salesbot_pipelines.state.clock import CLOCK_MARGIN, Clock, SystemClock, read_clock
from salesbot_pipelines.state.tables import oauth_states, sessions
from salesbot_pipelines.state.transactions import reading, writing

LONGEST_LOGIN_SECONDS = 600.0
_PURGED_AT_ONCE = 100


@dataclass(frozen=True)
class Session:
    """A browser's session."""

    shop: str
    owner: str
    created_at: datetime
    expires_at: datetime


class Sessions:
    """The sessions of every browser."""

    def __init__(self, engine: Engine, clock: Clock | None = None) -> None:
        self._engine = engine
        self._clock = clock or SystemClock()

    def begin(self, shop: str, owner: str, *, lifetime_seconds: float) -> str:
        """Begin a session and return its token, for the cookie alone."""
        token = secrets.token_urlsafe(32)
        with writing(self._engine) as connection:
            now = read_clock(connection, self._clock)
            _purge(connection, sessions, now)
            connection.execute(
                insert(sessions).values(
                    token_hash=_hash(token),
                    shop=shop,
                    owner=owner,
                    created_at=now,
                    expires_at=now + timedelta(seconds=lifetime_seconds),
                )
            )
        return token

    def find(self, token: str) -> Session | None:
        """Return the session of a cookie, or None for an unknown, ended or expired one."""
        with reading(self._engine) as connection:
            row = connection.execute(select(sessions).where(sessions.c.token_hash == _hash(token))).first()
            now = read_clock(connection, self._clock)
        if row is None or row.expires_at <= now:
            return None
        return Session(row.shop, row.owner, row.created_at, row.expires_at)

    def end(self, token: str) -> None:
        """End a session; an unknown one is none."""
        with writing(self._engine) as connection:
            connection.execute(delete(sessions).where(sessions.c.token_hash == _hash(token)))


class OAuthStates:
    """The log-ins that have begun and not yet come back."""

    def __init__(self, engine: Engine, clock: Clock | None = None) -> None:
        self._engine = engine
        self._clock = clock or SystemClock()

    def begin(self, shop: str, browser: str, *, lifetime_seconds: float = LONGEST_LOGIN_SECONDS) -> str:
        """Return a new state for this shop and for the browser whose cookie holds `browser`."""
        if not 0 < lifetime_seconds <= LONGEST_LOGIN_SECONDS:
            raise ValueError(f"a log-in is given up to {LONGEST_LOGIN_SECONDS:.0f} seconds")
        state = secrets.token_urlsafe(32)
        with writing(self._engine) as connection:
            now = read_clock(connection, self._clock)
            # Anybody may begin a log-in, so each one sweeps away some that never came back.
            _purge(connection, oauth_states, now)
            connection.execute(
                insert(oauth_states).values(
                    state_hash=_hash(state),
                    shop=shop,
                    browser_hash=_hash(browser),
                    expires_at=now + timedelta(seconds=lifetime_seconds),
                )
            )
        return state

    def consume(self, state: str, *, shop: str, browser: str) -> bool:
        """Use a state up; true only for one that is known, in time, and this shop's and browser's.

        It is gone afterwards whatever the answer: a state that was tried with the wrong shop or
        browser has been seen by somebody else.
        """
        with writing(self._engine) as connection:
            row = connection.execute(
                delete(oauth_states)
                .where(oauth_states.c.state_hash == _hash(state))
                .returning(oauth_states.c.shop, oauth_states.c.browser_hash, oauth_states.c.expires_at)
            ).first()
            if row is None:
                return False
            now = read_clock(connection, self._clock)
            longest = timedelta(seconds=LONGEST_LOGIN_SECONDS) + CLOCK_MARGIN
            in_time = now < row.expires_at <= now + longest
            return in_time and row.shop == shop and hmac.compare_digest(row.browser_hash, _hash(browser))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _purge(connection: Connection, table: Table, now: datetime) -> None:
    key = next(iter(table.primary_key))
    old = select(key).where(table.c.expires_at < now).order_by(table.c.expires_at).limit(_PURGED_AT_ONCE)
    connection.execute(delete(table).where(key.in_(old)))
