"""`salesbot demo`: the whole program in an empty folder, once and staying."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import jsonschema
import psutil
import pytest

from salesbot_pipelines.cli.demo import SHOPS, _demo_environment, _demo_home, _Ports
from salesbot_pipelines.defs.assets import ASSET_NAMES
from salesbot_pipelines.settings import VARIABLES
from salesbot_pipelines_tests.defs.running import ask, until

# Demos are run one after the other: each asks for the same ports first.
pytestmark = pytest.mark.xdist_group("dagster_ui")

SCHEMA = Path(__file__).parents[2] / "salesbot_pipelines/catalog/shopify_data.schema.json"
PARTITIONS = """
{ assetNodes { assetKey { path } partitionStats { numMaterialized numPartitions numFailed } } }
"""


def _environment():
    """Give this process's environment without our variables: the demo needs none."""
    ours = {variable.name for variable in VARIABLES} | {"DAGSTER_HOME"}
    return {name: value for name, value in os.environ.items() if name not in ours}


def _salesbot(*arguments):
    return [sys.executable, "-m", "salesbot_pipelines", *arguments]


def _left_over(folder):
    """Give the processes that were started with a home in the folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("SALESBOT_HOME", "").startswith(str(folder)) and process.status() != "zombie":
                found.append(process.cmdline())
    return found


def _documents(folder):
    return {path.parent.name: json.loads(path.read_bytes()) for path in folder.rglob("shopify_data.json")}


def test_once_in_an_empty_folder_publishes_three_valid_documents_and_leaves_nothing_running(tmp_path):
    done = subprocess.run(
        _salesbot("demo", "--once"),
        cwd=tmp_path,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.split() == [
        "shop", "status", "products", "variants", "collections", "discounts", "size", "seconds",
    ]  # fmt: skip
    assert [row.split()[:2] for row in rows[:3]] == [[shop, "published"] for shop in SHOPS]
    documents = _documents(tmp_path)
    assert set(documents) == set(SHOPS)
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_bytes()))
    for shop, document in documents.items():
        assert not list(validator.iter_errors(document)), shop
        assert document["shop"]["domain"] == shop
        assert document["products"]
    for path in tmp_path.rglob("shopify_data.json"):
        assert path.as_uri() in done.stdout
    assert _left_over(tmp_path) == []


@contextlib.contextmanager
def _staying(folder) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run `salesbot demo` until the block ends; whatever happens, nothing of it stays."""
    said = folder / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            _salesbot("demo"), cwd=folder, env=_environment(), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process, said
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)


@pytest.mark.xdist_group("dagster_ui")
def test_staying_shows_every_shop_in_every_asset_follows_a_price_and_ends_with_ctrl_c(tmp_path):
    with _staying(tmp_path) as (process, said):

        def heard(pattern):
            assert process.poll() is None, said.read_text()
            return re.search(pattern, said.read_text())

        ui = until("address of Dagster's UI", lambda: heard(r"Dagster's UI +(http://127\.0\.0\.1:\d+)/locations"))[1]

        def materialised():
            stats = {
                node["assetKey"]["path"][-1]: node["partitionStats"]
                for node in ask(ui, PARTITIONS)["assetNodes"]
                if node["partitionStats"]
            }
            whole = {"numMaterialized": len(SHOPS), "numPartitions": len(SHOPS), "numFailed": 0}
            return stats == dict.fromkeys(ASSET_NAMES, whole)

        until("materialisation of every shop in each asset", materialised)
        until("end of what it prints", lambda: heard("Ctrl-C ends everything"))
        for shop in SHOPS:
            assert heard(rf"(?m)^{re.escape(shop)} +published +\d")

        variables = dict(
            line.split("=", 1) for line in shlex.split((tmp_path / ".salesbot/demo.env").read_text(), posix=True)
        )
        there = {"cwd": tmp_path, "env": {**_environment(), **variables}}
        subprocess.run(_salesbot("sandbox", "set-price", SHOPS[0], "12.34"), check=True, **there)
        until("published change", lambda: heard(rf"{re.escape(SHOPS[0])}: published sha256:"))
        prices = {
            variant["price"]["amount"]
            for product in _documents(tmp_path)[SHOPS[0]]["products"]
            for variant in product["variants"]
        }
        assert "12.34" in prices
        shown = subprocess.run(_salesbot("show", SHOPS[0], "--json"), check=True, capture_output=True, **there)
        assert json.loads(shown.stdout)["manifest"]["source"]["trigger"] == "webhook"

        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, said.read_text()
        assert _left_over(tmp_path) == []
        with pytest.raises(httpx.ConnectError):
            httpx.get(ui, trust_env=False)
    assert "Traceback" not in said.read_text()


PORTS = _Ports(sandbox=1, receiver=2, ui=3, code=4)


def test_invented_shops_never_reach_the_database_or_the_home_of_real_ones(cli):
    keys = cli("keys", "new").out.strip()
    cli.set(SALESBOT_DATABASE_URL=f"sqlite:///{cli.folder}/real.db", SALESBOT_ENCRYPTION_KEYS=keys)
    environ = _demo_environment(PORTS)
    assert environ["SALESBOT_DATABASE_URL"] == environ["SALESBOT_ENCRYPTION_KEYS"] == ""
    assert "SALESBOT_DATABASE_URL=''" in (cli.home / "demo.env").read_text()


def test_a_home_with_real_shops_gets_a_folder_beside_them(cli, sandbox):
    cli.set(SHOPIFY_SHOP_URL=sandbox[1].shop_url)
    token = next(iter(sandbox[0].world)).token
    assert cli("shops", "add", "tiny.myshopify.com", "--token-stdin", stdin=token).code == 0
    assert _demo_home() == cli.home / "demo"


def test_a_home_of_the_demo_is_used_again(cli):
    assert _demo_home() == cli.home
    _demo_environment(PORTS)
    (cli.home / "state.db").touch()
    assert _demo_home() == cli.home


def test_a_process_that_ends_by_itself_ends_the_demo_and_is_named(cli, monkeypatch):
    monkeypatch.setattr(
        "salesbot_pipelines.cli.demo.python",
        lambda *_: [sys.executable, "-c", "raise SystemExit('no sandbox today')"],
    )
    ended = cli("demo", "--once")
    assert ended.code == 1
    last = ended.err.strip().splitlines()[-1]
    assert last.startswith("error: sandbox ended with 1: no sandbox today")
    assert "sandbox.log" in last
