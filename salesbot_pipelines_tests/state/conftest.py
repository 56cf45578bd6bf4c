"""Databases to test with: every test that asks for `engine` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, Executable, Interval, event, literal, text, update

from salesbot_pipelines.state.encryption import Keyring
from salesbot_pipelines.state.engine import migrate, open_engine
from salesbot_pipelines.state.installs import Credential, Installs
from salesbot_pipelines.state.key_file import new_key
from salesbot_pipelines.state.tables import UtcTime, counters, metadata
from salesbot_pipelines.state.transactions import writing
from salesbot_pipelines.state.work import ShopWork
from salesbot_pipelines_tests.needs import do_without
from salesbot_pipelines_tests.postgres import Server, missing_programs, postgres_server


class TurnableClock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def turn(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock()


@pytest.fixture(autouse=True)
def closed_engines() -> Iterator[None]:
    """Close the connections of every engine that a test opened; left open they are a warning."""
    seen: set[Engine] = set()

    def notice(connection: Connection) -> None:
        seen.add(connection.engine)

    event.listen(Engine, "engine_connect", notice)
    yield
    event.remove(Engine, "engine_connect", notice)
    for engine in seen:
        engine.dispose()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One PostgreSQL for all tests of this process."""
    if why := missing_programs():
        do_without(why)
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="session")
def empty_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database to copy: that is faster than to migrate for each test."""
    home = tmp_path_factory.mktemp("empty") / "home"
    open_engine("", home, create=True).dispose()
    return home / "state.db"


@pytest.fixture(scope="session")
def migrated_url(server: Server) -> str:
    """The URL of a migrated PostgreSQL database."""
    engine = open_engine(server.url())
    migrate(engine)
    engine.dispose()
    return server.url()


def empty(engine: Engine) -> None:
    """Delete every row and start every number anew."""
    names = ", ".join(table.name for table in metadata.sorted_tables)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))


@pytest.fixture
def home(tmp_path: Path, empty_state: Path) -> Path:
    """A home folder with a migrated SQLite database."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    shutil.copy(empty_state, folder / "state.db")
    return folder


@pytest.fixture
def sqlite_engine(home: Path) -> Iterator[Engine]:
    engine = open_engine("", home)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(migrated_url: str) -> Iterator[Engine]:
    engine = open_engine(migrated_url)
    empty(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> Engine:
    """The same test on both databases."""
    chosen: Engine = request.getfixturevalue(f"{request.param}_engine")
    return chosen


@pytest.fixture
def database_url(engine: Engine) -> str:
    """The URL by which another process opens the same database."""
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture
def turn(engine: Engine, clock: TurnableClock) -> Callable[[float], None]:
    """Let time pass without waiting.

    PostgreSQL's clock cannot be turned, so there every stored time is moved into the past instead.
    """

    def move(seconds: float) -> None:
        if engine.dialect.name == "sqlite":
            clock.turn(seconds)
            return
        with engine.begin() as connection:
            for table in metadata.sorted_tables:
                moved = {
                    column.name: column - literal(timedelta(seconds=seconds), Interval)
                    for column in table.columns
                    if isinstance(column.type, UtcTime)
                }
                if moved:
                    connection.execute(update(table).values(moved))

    return move


@pytest.fixture
def key() -> str:
    return new_key()


@pytest.fixture
def keyring(engine: Engine, key: str) -> Keyring:
    """A keyring whose key the database knows."""
    ring = Keyring([key])
    ring.ensure_key_check(engine)
    return ring


@pytest.fixture
def installs(engine: Engine, keyring: Keyring, clock: TurnableClock) -> Installs:
    return Installs(engine, keyring, clock)


@pytest.fixture
def work(engine: Engine, clock: TurnableClock) -> ShopWork:
    """Work whose jitter is always the longest wait."""
    return ShopWork(engine, clock, jitter=lambda _least, most: most)


@pytest.fixture
def connect(installs: Installs) -> Callable[..., None]:
    """Connect shops, each with a token of its own."""

    def connect_all(*shops: str) -> None:
        for shop in shops:
            installs.connect(shop, Credential(kind="static", access_token=f"token of {shop}"))

    return connect_all


@pytest.fixture
def two_shops(connect: Callable[..., None]) -> None:
    """Have two shops connected."""
    connect("one.myshopify.com", "two.myshopify.com")


def count_once(engine: Engine, name: str = "tests") -> None:
    """Write something small."""
    with writing(engine) as connection:
        connection.execute(counters.insert().values(name=name, total=1))


def write(engine: Engine, *statements: Executable) -> None:
    """Execute statements in one transaction."""
    with writing(engine) as connection:
        for statement in statements:
            connection.execute(statement)
