"""`python -m salesbot_pipelines_tests.ceph start|stop|watch FOLDER`; the shell scripts beside it call this."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from salesbot_pipelines_tests.ceph.gateway import PACKAGES, CephGateway, CephNotStarted, missing_programs
from salesbot_pipelines_tests.ceph.shared import watch


def main() -> int:
    parser = argparse.ArgumentParser(prog="salesbot_pipelines_tests.ceph")
    parser.add_argument("verb", choices=("start", "stop", "watch"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--owner", type=int, help="stop by itself when the process of this id ends")
    arguments = parser.parse_args()
    gateway = CephGateway(arguments.folder)
    if arguments.verb == "stop":
        gateway.stop()
        return 0
    if arguments.verb == "watch":
        watch(gateway.folder, arguments.owner)
        return 0
    if missing := missing_programs():
        print(f"missing: {', '.join(missing)}; Debian's packages: {PACKAGES}", file=sys.stderr)
        return 1
    try:
        endpoint = gateway.start()
    except CephNotStarted as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.owner:
        watcher = [sys.executable, "-m", "salesbot_pipelines_tests.ceph", "watch", str(gateway.folder)]
        subprocess.Popen(
            [*watcher, "--owner", str(arguments.owner)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ).returncode = 0
    print(endpoint.exports(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
