"""The gateway's own promises: it starts and stops by script, and touches nothing that is not its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from salesbot_pipelines_tests.ceph import CephGateway, endpoint_for_tests
from salesbot_pipelines_tests.ceph.gateway import CephNotStarted

HERE = Path(__file__).resolve().parent


def test_a_filled_folder_is_neither_used_nor_emptied(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    gateway = CephGateway(tmp_path)
    with pytest.raises(CephNotStarted):
        gateway.start()
    gateway.stop()
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.ceph
def test_the_scripts_start_and_stop_a_gateway(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    endpoint_for_tests(tmp_path_factory)  # skips without Ceph
    folder = tmp_path / "store"
    environment = {**os.environ, "PYTHON": sys.executable}
    started = subprocess.run(
        [HERE / "start-ceph-s3.sh", folder], env=environment, check=True, capture_output=True, text=True
    )
    names = [line.removeprefix("export ").partition("=")[0] for line in started.stdout.splitlines()]
    assert names == [
        "SPACES_ENDPOINT", "SPACES_REGION", "SPACES_BUCKET", "SPACES_KEY", "SPACES_SECRET", "AWS_CA_BUNDLE",
    ]  # fmt: skip
    pids = [int(path.read_text()) for path in folder.glob("*.pid")]
    assert len(pids) == 3
    for _ in range(2):
        subprocess.run([HERE / "stop-ceph-s3.sh", folder], env=environment, check=True)
    assert not folder.exists()
    assert not [pid for pid in pids if str(folder).encode() in _command_line(pid)]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
