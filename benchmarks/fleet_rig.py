"""What the fleet's benchmark stands on: a sandbox of small shops, Dagster over them as the demo starts it, and the
processor time of every process that takes part.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from salesbot_pipelines.cli.dagster_home import start_dagster, write_dagster_home
from salesbot_pipelines.cli.processes import Children, free_port
from salesbot_pipelines.refresh.program import Program, open_program
from salesbot_pipelines.settings import load_settings
from salesbot_pipelines.state.installs import Credential

_POLL_SECONDS = 0.25


@dataclasses.dataclass(frozen=True)
class Shops:
    """The sandbox's fleet: its address, and each shop's token."""

    url: str
    tokens: dict[str, str]

    def reads(self) -> Counter[str]:
        """Give how often each shop's catalogue was begun to be read."""
        calls = httpx.get(f"{self.url}/_sandbox/calls", trust_env=False, timeout=60).json()["calls"]
        return Counter(call["shop"] for call in calls if call["operation"] == "Preflight")

    def change_price(self, http: httpx.Client, shop: str, price: str) -> None:
        """Give the shop's first variant another price."""
        query = {"query": "{ products(first: 1) { nodes { variants(first: 1) { nodes { id } } } } }"}
        headers = {"X-Shopify-Access-Token": self.tokens[shop]}
        answer = http.post(
            f"{self.url}/shops/{shop}/admin/api/2026-10/graphql.json", json=query, headers=headers
        ).json()
        variant = answer["data"]["products"]["nodes"][0]["variants"]["nodes"][0]["id"]
        change = {"verb": "set_price", "arguments": {"variant": variant, "price": price}}
        http.post(f"{self.url}/_sandbox/shops/{shop}/change", json=change).raise_for_status()


@contextmanager
def sandbox(count: int) -> Iterator[Shops]:
    """Serve `count` small shops that never throttle, in a process of their own."""
    command = [sys.executable, "-m", "salesbot_pipelines.sandbox", "--fleet", str(count), "--unlimited"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            known = httpx.get(f"{url}/_sandbox/shops", trust_env=False, timeout=60).json()["shops"]
            yield Shops(url, {one["shop"]: one["token"] for one in known if one["shop"].startswith("fleet-")})
        finally:
            process.terminate()


def environment(home: Path, shops: Shops, **more: str) -> dict[str, str]:
    """Give the variables of a program on that sandbox, with its state, objects and Dagster in `home`."""
    here = {name: value for name, value in os.environ.items() if not name.startswith(("SHOPIFY_", "SPACES_"))}
    return {
        **here,
        "SALESBOT_HOME": str(home),
        "SHOPIFY_SHOP_URL": f"{shops.url}/shops/{{shop}}",
        "SHOPIFY_API_KEY": "sandbox-client-id",
        "SHOPIFY_API_SECRET": "sandbox-client-secret",
        "SALESBOT_DATABASE_URL": "",
        "SALESBOT_ENCRYPTION_KEYS": "",
        "DAGSTER_HOME": str(home / "dagster"),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        **more,
    }


@contextmanager
def connected(environ: dict[str, str], shops: Shops) -> Iterator[Program]:
    """Open the program and connect the whole fleet."""
    program = open_program(load_settings(environ))
    try:
        for shop, token in shops.tokens.items():
            program.installs.connect(shop, Credential(kind="static", access_token=token))
        yield program
    finally:
        program.close()


@dataclasses.dataclass(frozen=True)
class RunningDagster:
    """Code server, daemon and webserver, and the instance they share."""

    instance: dg.DagsterInstance
    _processes: list[psutil.Process]
    _restarted: list[psutil.Popen] = dataclasses.field(default_factory=list)

    def cpu_seconds(self) -> float:
        """Give the processor time so far of the three and of every run they started, ended or not."""
        return sum(_with_descendants(process) for process in self._processes)

    def kill_run(self) -> bool:
        """End a run that is in progress, with SIGKILL: the code server's child that has worked most. False: none."""
        code = self._processes[0]
        running = []
        for one in code.children(recursive=True):
            try:
                if "spawn_main" in " ".join(one.cmdline()):
                    running.append((sum(one.cpu_times()[:2]), one))
            except psutil.NoSuchProcess:
                continue  # it ended while we looked
        if running:
            max(running, key=lambda pair: pair[0])[1].kill()
        return bool(running)

    def kill_daemon(self) -> None:
        """End the daemon with SIGKILL, and start another, as a service manager would."""
        daemon = next(one for one in reversed(self._processes) if _is_daemon(one))
        command, environ = daemon.cmdline(), daemon.environ()
        daemon.kill()
        daemon.wait()
        again = psutil.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._processes.append(again)
        self._restarted.append(again)

    def close(self) -> None:
        """End what was started again; the others are their starter's."""
        for process in self._restarted:
            if process.is_running():
                process.terminate()
                process.wait()
        self.instance.dispose()

    def known(self) -> set[str]:
        """Give the shops that are partitions."""
        return set(self.instance.get_dynamic_partitions("shops"))

    def runs(self, job: str) -> list[dg.RunRecord]:
        """Give the records of the job's runs."""
        return list(self.instance.get_run_records(dg.RunsFilter(job_name=job)))


@contextmanager
def dagster(home: Path, environ: dict[str, str]) -> Iterator[RunningDagster]:
    """Start Dagster's three processes as the demo does: SQLite, two runs at once."""
    folder = write_dagster_home(home / "dagster")
    before = {process.pid for process in psutil.Process().children()}
    with Children(home / "logs", environ) as children:
        start_dagster(children, folder, ui=free_port(), code=free_port())
        ours = [process for process in psutil.Process().children() if process.pid not in before]
        running = RunningDagster(dg.DagsterInstance.from_config(str(folder)), ours)
        try:
            yield running
        finally:
            running.close()


def _is_daemon(process: psutil.Process) -> bool:
    return (
        process.is_running() and process.status() != psutil.STATUS_ZOMBIE and "dagster._daemon" in process.cmdline()
    )


def _with_descendants(process: psutil.Process) -> float:
    """Add up a process, the children it has waited for, and those that still run."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it ended between the two looks: the next look finds it in its parent's sum
        total += times.user + times.system + times.children_user + times.children_system
    return total


def until(what: str, look: Callable[[], bool], *, seconds: float, poll_seconds: float = _POLL_SECONDS) -> None:
    """Look until it is so; end the benchmark when it takes too long."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise SystemExit(f"after {seconds:.0f} s: still not {what}")
        time.sleep(poll_seconds)
