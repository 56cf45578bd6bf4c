"""Definitions load anywhere, say in one line what is not right, and hold no secret."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from cryptography.fernet import Fernet
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster_shared.serdes import serialize_value

from salesbot_pipelines.definitions import build_definitions
from salesbot_pipelines.defs.assets import ASSET_NAMES
from salesbot_pipelines.errors import SettingsError
from salesbot_pipelines.refresh.program import open_program
from salesbot_pipelines.settings import VARIABLES, load_settings
from salesbot_pipelines.state.engine import migrate, open_engine
from salesbot_pipelines.state.installs import Credential
from salesbot_pipelines_tests.defs.inprocess import add_shops

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

LOAD = """
import dagster as dg
from salesbot_pipelines.definitions import defs
dg.Definitions.validate_loadable(defs)
print(len(defs.resolve_asset_graph().get_all_asset_keys()))
"""


def _run(*command, cwd, **environ):
    """Run a command with PATH and these variables alone."""
    return subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_with_no_variable_at_all_they_load_and_validate_and_write_nothing(tmp_path):
    done = _run(sys.executable, "-W", "error::DeprecationWarning:salesbot_pipelines", "-c", LOAD, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["6"]
    assert list(tmp_path.iterdir()) == []


def test_they_load_without_pandas_because_every_run_would_pay_for_it(tmp_path):
    code = "import sys, salesbot_pipelines.definitions; print('dagster' in sys.modules, 'pandas' in sys.modules)"
    done = _run(sys.executable, "-c", code, cwd=tmp_path)
    assert done.stdout.split() == ["True", "False"], done.stderr


def test_the_workspace_validates_from_a_bare_checkout(tmp_path):
    quiet = {"HOME": str(tmp_path), "DAGSTER_HOME": str(tmp_path), "DAGSTER_DISABLE_TELEMETRY": "1"}
    done = _run(str(BIN / "dagster"), "definitions", "validate", "-w", "workspace.yaml", cwd=ROOT, **quiet)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Validation successful" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("SALESBOT_SCHEDULE", "each night"), ("SPACES_BUCKET", "a.b"), ("SALESBOT_ENCRYPTION_KEYS", "hunter2")],
)
def test_a_malformed_variable_is_named_in_one_line_without_its_value(name, value):
    """Dagster shows the text of the exception alone, so that text must say everything."""
    with pytest.raises(SettingsError) as caught:
        build_definitions(environ={name: value})
    text = str(caught.value)
    assert text.startswith(f"{name} is malformed")
    assert f"set it like {name}=" in text
    assert "\n" not in text
    assert value not in text.split("set it like")[0].removeprefix(name)


def test_every_job_works_in_the_runs_own_process():
    """A process a step costs six times the CPU; backfills take Dagster's own job, which has the default executor."""
    repository = build_definitions(environ={}).get_repository_def()
    jobs = {job.name: job.executor_def.name for job in repository.get_all_jobs()}
    assert jobs == dict.fromkeys(("refresh_catalog", "refresh_due", "look_at_fleet", "__ASSET_JOB"), "in_process")


def _canaries(home):
    """Give every secret variable a value that would be recognised anywhere."""
    keys = ",".join(Fernet.generate_key().decode() for _ in range(2))
    values = {
        "SHOPIFY_API_SECRET": "canary-app-secret",
        "SHOPIFY_API_SECRET_PREVIOUS": "canary-previous-secret",
        "SALESBOT_ENCRYPTION_KEYS": keys,
        "SALESBOT_DATABASE_URL": f"sqlite:///{home}/canary-database.db",
        "SPACES_SECRET": "canary-spaces-secret",
    }
    assert set(values) == {variable.name for variable in VARIABLES if variable.secret}
    searched = [*keys.split(","), "canary-"]
    return {**values, "SPACES_KEY": "canary-spaces-key", "SPACES_REGION": "fra1"}, searched


@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning")
def test_the_snapshot_that_the_ui_is_given_holds_no_secret(tmp_path, monkeypatch):
    environ, searched = _canaries(tmp_path)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    repository = build_definitions().get_repository_def()
    snapshot = serialize_value(RepositorySnap.from_def(repository))
    assert "SPACES_SECRET" in snapshot  # the name is shown, so the resource was looked at
    for text in searched:
        assert text not in snapshot


def test_neither_a_good_nor_a_failing_run_leaves_a_secret_in_dagster_home(tmp_path, rig, monkeypatch):
    """The program is opened by the resource itself, from an environment full of canaries."""
    environ, searched = _canaries(tmp_path)
    environ = {**environ, "SALESBOT_HOME": str(tmp_path / "home"), "SHOPIFY_SHOP_URL": rig.server.shop_url}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.instance_for_test(temp_dir=str(home), overrides={"telemetry": {"enabled": False}}) as instance:
        settings = load_settings(environ)
        engine = open_engine(settings, create=True)
        migrate(engine)
        engine.dispose()
        opened = open_program(settings)
        shops = add_shops(rig, 2)
        tokens = [rig.world.shop(shop).token for shop in shops]
        for shop, token in zip(shops, tokens, strict=True):
            opened.installs.connect(shop, Credential(kind="static", access_token=token), owner=None)
        opened.close()
        instance.add_dynamic_partitions("shops", shops)
        rig.world.shop(shops[1]).uninstall()
        job = build_definitions().resolve_job_def("refresh_catalog")
        good, bad = (
            job.execute_in_process(instance=instance, partition_key=shop, raise_on_error=False) for shop in shops
        )
        looked = build_definitions().resolve_job_def("look_at_fleet").execute_in_process(instance=instance)
    assert good.success
    assert looked.success
    assert not bad.success
    assert set(ASSET_NAMES) == {event.asset_key.to_user_string() for event in good.get_asset_materialization_events()}
    files = [path for path in home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    for path in files:
        content = path.read_bytes()
        for text in (*searched, *tokens):
            assert text.encode() not in content, path
