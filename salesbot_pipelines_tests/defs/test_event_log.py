"""The event log of a home on SQLite: Dagster's own in what it keeps, with few connections."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy

from salesbot_pipelines.cli.dagster_home import write_dagster_home
from salesbot_pipelines.defs import event_log
from salesbot_pipelines.defs.event_log import PooledEventLogStorage

NAMES = ("raw", "data")
KEYS = tuple(f"shop-{number}" for number in range(4))
RANGE = {"dagster/asset_partition_range_start": KEYS[0], "dagster/asset_partition_range_end": KEYS[-1]}


@dg.multi_asset(
    specs=[dg.AssetSpec(name, skippable=True) for name in NAMES],
    partitions_def=dg.DynamicPartitionsDefinition(name="shops"),
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def refresh(context: dg.AssetExecutionContext) -> Iterator[dg.AssetMaterialization]:
    for shop in context.partition_keys:
        for name in NAMES:
            tags = {"dagster/data_version": f"{name} of {shop}"}
            yield dg.AssetMaterialization(name, partition=shop, metadata={"products": len(shop)}, tags=tags)


JOB = dg.Definitions(
    assets=[refresh], jobs=[dg.define_asset_job("refreshing", executor_def=dg.in_process_executor)]
).resolve_job_def("refreshing")


@contextmanager
def opened(home: Path, *, plainly: bool = False) -> Iterator[dg.DagsterInstance]:
    """Open the home with the log that it is written with, or with Dagster's own."""
    if plainly:
        home.mkdir(exist_ok=True)
        (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    else:
        write_dagster_home(home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert isinstance(instance.event_log_storage, PooledEventLogStorage) is not plainly
        yield instance


@pytest.fixture
def home(tmp_path) -> Path:
    """A folder whose name must be quoted."""
    return tmp_path / 'my "home": #1 {x}'


def run_in(instance: dg.DagsterInstance) -> str:
    instance.add_dynamic_partitions("shops", KEYS)
    done = JOB.execute_in_process(instance=instance, tags=RANGE)
    assert done.success
    return done.run_id


def kept_in(instance: dg.DagsterInstance, run: str) -> dict[str, object]:
    """Give what a run left behind, as Dagster's UI asks for it."""
    kept: dict[str, object] = {"events": [entry.to_json() for entry in instance.all_logs(run)]}
    for name in NAMES:
        key = dg.AssetKey(name)
        kept[name] = [
            (record.partition_key, record.asset_materialization.metadata, record.asset_materialization.tags)
            for record in instance.fetch_materializations(key, limit=100, ascending=True).records
        ]
        kept[f"{name} is in"] = instance.get_materialized_partitions(key)
    return kept


@contextmanager
def files_opened() -> Iterator[list[Path]]:
    """Collect the files of each connection that SQLAlchemy opens meanwhile."""
    found: list[Path] = []

    def note(connection: sqlite3.Connection, _record: object) -> None:
        found.append(Path(connection.execute("PRAGMA database_list").fetchone()[2]))

    sqlalchemy.event.listen(sqlalchemy.Pool, "connect", note)
    try:
        yield found
    finally:
        sqlalchemy.event.remove(sqlalchemy.Pool, "connect", note)


@pytest.mark.parametrize("plainly", [False, True])
def test_what_one_log_keeps_the_other_finds(home, plainly):
    with opened(home, plainly=plainly) as instance:
        run = run_in(instance)
        kept = kept_in(instance, run)
    assert kept["raw is in"] == set(KEYS)
    assert len(kept["data"]) == len(KEYS)
    with opened(home, plainly=not plainly) as instance:
        assert kept_in(instance, run) == kept
        again = run_in(instance)
        assert len(kept_in(instance, again)["data"]) == 2 * len(KEYS)


def test_a_file_is_opened_once_and_not_for_every_event(home):
    with opened(home) as instance:
        run_in(instance)
        with files_opened() as found:
            run = run_in(instance)
            events = instance.all_logs(run)
        of_events = [file for file in found if file.parent == home / "history" / "runs"]
        # The run's own, and once more for a moment while its tables are made; the index is open already.
        assert {file.stem for file in of_events} == {run}
        assert len(of_events) <= 3 < len(events)


def test_of_many_runs_few_files_are_open_and_all_are_found(home, monkeypatch):
    monkeypatch.setattr(event_log, "_MOST_OPEN", 2)
    with opened(home) as instance:
        runs = [run_in(instance) for _ in range(4)]
        sizes = [len(instance.all_logs(run)) for run in runs]
        assert min(sizes) == max(sizes) > len(KEYS)
        assert len(instance.event_log_storage._engines) == 2
        started = instance.fetch_run_status_changes(dg.DagsterEventType.RUN_START, limit=100).records
        assert {record.event_log_entry.run_id for record in started} == set(runs)


def test_a_wiped_log_is_empty_and_takes_events(home):
    with opened(home) as instance:
        gone = run_in(instance)
        instance.event_log_storage.wipe()
        assert instance.all_logs(gone) == []
        assert instance.get_materialized_partitions(dg.AssetKey("data")) == set()
        run_in(instance)
        assert instance.get_materialized_partitions(dg.AssetKey("data")) == set(KEYS)


def run_at(home: Path) -> str:
    with opened(home) as instance:
        return run_in(instance)


def test_two_processes_that_write_at_once_lose_nothing(home):
    with opened(home) as instance:  # of two that make the same tables or keys at once Dagster lets one fail
        instance.add_dynamic_partitions("shops", KEYS)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        runs = list(processes.map(run_at, (home, home)))
    with opened(home) as instance:
        assert len({len(instance.all_logs(run)) for run in runs}) == 1
        found = instance.fetch_materializations(dg.AssetKey("data"), limit=100).records
        assert sorted(record.run_id for record in found) == sorted(len(KEYS) * runs)


def test_the_files_are_closed_with_the_instance(home):
    with opened(home) as instance:
        log = instance.event_log_storage
        run_in(instance)
        assert log._engines
    assert not log._engines
