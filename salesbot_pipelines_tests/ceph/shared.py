"""One gateway for a whole test run, however many worker processes it has.

The first test that asks starts it; a watcher ends it when the run's first process is gone, be it
through its end, Ctrl-C or a kill. So no worker has to know whether it is the last.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from salesbot_pipelines_tests.ceph.gateway import PACKAGES, CephGateway, Endpoint, missing_programs
from salesbot_pipelines_tests.needs import do_without

_ROOT = Path(__file__).resolve().parents[2]


def endpoint_for_tests(tmp_path_factory: pytest.TempPathFactory) -> Endpoint:
    """Return this test run's gateway; skip without Ceph, or fail where CI=true promises it."""
    if missing := missing_programs():
        do_without(f"Ceph is not installed ({', '.join(missing)} missing): install {PACKAGES}")
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        return shared_endpoint(place.parent, owner=os.getppid())
    return shared_endpoint(place, owner=os.getpid())


def shared_endpoint(place: Path, *, owner: int) -> Endpoint:
    """Return the run's gateway, started on first use. `place` is a folder that all workers see.

    `owner` is the process whose end ends the gateway.
    """
    note = place / "ceph-gateway.json"
    with (place / "ceph-gateway.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not note.exists():
            folder = tempfile.mkdtemp(prefix="ceph-gateway-")
            started = subprocess.run(
                [sys.executable, "-m", "salesbot_pipelines_tests.ceph", "start", folder, "--owner", str(owner)],
                cwd=_ROOT,
                check=False,
                capture_output=True,
                text=True,
            )
            if started.returncode:
                raise RuntimeError(f"Ceph did not start: {started.stderr}")
            note.write_text((Path(folder) / "endpoint.json").read_text())
        return Endpoint(**json.loads(note.read_text()))


def watch(folder: Path, owner: int) -> None:
    """Stop the folder's gateway once the owner has ended."""
    try:
        descriptor = os.pidfd_open(owner)
    except ProcessLookupError:
        pass
    else:
        select.select([descriptor], [], [])
    CephGateway(folder).stop()
