"""A PostgreSQL server of our own for the tests: made in a temporary folder, stopped by its process id.

The server refuses to run as root, so root starts it as another user. Its durability is off: these
tests are about locks and errors, not about power cuts.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from salesbot_pipelines.cli.processes import free_port

_USERS = ("postgres", "nobody")
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "logging_collector": "off",
    "log_destination": "stderr",
}


def missing_programs() -> str:
    """Say why no server can be started here; an empty text when one can."""
    if _program("initdb") is None or _program("postgres") is None:
        return "the programs initdb and postgres are not installed (Debian: postgresql)"
    if shutil.which("setpriv") is None:
        return "the program setpriv is not installed (Debian: util-linux)"
    return ""


@dataclass
class Server:
    """A running server."""

    folder: Path
    port: int
    _as_user: list[str] = field(repr=False)
    _process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres", *, user: str = "salesbot", password: str = "") -> str:
        """Return the SQLAlchemy URL of a database."""
        secret = f":{password}" if password else ""
        return f"postgresql+psycopg2://{user}{secret}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server and wait until it lets somebody in."""
        command = [*self._as_user, str(_program("postgres")), "-D", str(self.folder / "cluster")]
        command += ["-k", str(self.folder), "-p", str(self.port)]
        for name, value in _SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        self._wait_until_ready()

    def stop(self, kind: signal.Signals = signal.SIGINT) -> None:
        """Stop the server by its process id; SIGINT cuts connections, SIGQUIT is a crash."""
        if self._process is None:
            return
        self._process.send_signal(kind)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _wait_until_ready(self) -> None:
        import psycopg2

        deadline = time.monotonic() + 30
        while True:
            assert self._process is not None
            if self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()}")
            try:
                psycopg2.connect(
                    host="127.0.0.1", port=self.port, user="salesbot", dbname="postgres", connect_timeout=2
                ).close()
                return
            except psycopg2.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


@contextlib.contextmanager
def postgres_server() -> Iterator[Server]:
    """Run a fresh server on a free port of 127.0.0.1 while the body runs."""
    folder = Path(tempfile.mkdtemp(prefix="salesbot-postgres-"))
    # The server goes when its parent goes, even when that one is killed.
    as_user = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        user = _unprivileged_user()
        as_user += ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
        os.chown(folder, user.pw_uid, user.pw_gid)
    server = Server(folder, free_port(), as_user)
    try:
        initdb = [*as_user, str(_program("initdb")), "-D", str(folder / "cluster"), "-U", "salesbot"]
        initdb += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        subprocess.run(initdb, cwd=folder, check=True, capture_output=True)
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged_user() -> pwd.struct_passwd:
    for name in _USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError(f"root needs one of the users {', '.join(_USERS)} to run PostgreSQL")


def _program(name: str) -> Path | None:
    """Find one of the server's programs; Debian keeps them off the PATH."""
    if found := shutil.which(name):
        return Path(found)
    candidates = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return candidates[-1] if candidates else None
