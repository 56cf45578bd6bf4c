"""One monitor, one OSD that keeps objects in memory, and one radosgw with TLS, all on 127.0.0.1.

Promise: several gateways run side by side on free ports; stopping one ends only processes that this
folder's start has made, and removes the folder. Everything lies in memory and is lost then.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from salesbot_pipelines.cli.processes import free_port

PROGRAMS = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "openssl", "radosgw", "radosgw-admin")
PACKAGES = "radosgw ceph-mon ceph-osd ceph-common openssl"
_DAEMONS = ("rgw", "osd", "mon")
_START_SECONDS = 120  # two seconds are the rule; a busy machine may take thirty
_MARK = "made-by-ceph-gateway"

# cephx because radosgw never answers with authentication off; tcp_nodelay because a small GET takes 40 ms
# without; the paxos and mon tick lines because the defaults are tuned for three monitors, not for a fast
# start; the objecter's tick because one start in four lost a request and asked again only after 5 s.
_CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon_port}
public addr = 127.0.0.1
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind ipv6 = false
ms bind msgr1 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {folder}/keyring
run dir = {folder}
log file = {folder}/$name.log
admin socket =
pid file =
crash dir = {folder}
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
objecter tick interval = 0.5
mon client hunt interval = 0.5
[mon]
mon data = {folder}/mon
mon cluster log file = {folder}/cluster.log
mon tick interval = 1
paxos propose interval = 0.02
paxos min wait = 0.01
mon data avail warn = 2
mon data avail crit = 1
[osd]
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd class load list = *
osd class default list = *
crush location = root=default host=localhost
[client.rgw]
rgw data = {folder}/rgw
rgw frontends = beast ssl_endpoint=127.0.0.1:{port} ssl_certificate={folder}/tls.pem tcp_nodelay=1
rgw dns name = localhost
rgw thread pool size = 32
rgw enable usage log = false
"""


@dataclass(frozen=True)
class Endpoint:
    """How to reach a gateway: the five SPACES_ values and the certificate to trust."""

    endpoint: str
    region: str
    bucket: str
    key: str
    secret: str
    ca_bundle: str

    def exports(self) -> str:
        """The same as shell lines."""
        lines = {f"SPACES_{name.upper()}": value for name, value in asdict(self).items()}
        lines["AWS_CA_BUNDLE"] = lines.pop("SPACES_CA_BUNDLE")
        return "".join(f"export {name}={value}\n" for name, value in lines.items())


class CephNotStarted(Exception):
    """The text holds the last lines of each log."""


def missing_programs() -> list[str]:
    """Name the programs that are not installed; the packages are those of `PACKAGES`."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


class CephGateway:
    """`with CephGateway(folder) as endpoint:`; the folder must be new or empty and is removed afterwards."""

    def __init__(self, folder: Path, *, bucket: str = "salesbot-test", region: str = "fra1") -> None:
        self.folder = folder.resolve()
        self._bucket = bucket
        self._region = region
        self._deadline = 0.0

    def __enter__(self) -> Endpoint:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Endpoint:
        """Start all three and make the bucket; a failed start leaves nothing running."""
        if " " in str(self.folder):
            raise CephNotStarted(f"Ceph's configuration cannot name a folder with a blank: {self.folder}")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(self.folder.iterdir()):
            raise CephNotStarted(f"{self.folder} is not empty")
        (self.folder / _MARK).touch()
        self._deadline = time.monotonic() + _START_SECONDS
        try:
            endpoint = self._start_all()
        except (subprocess.SubprocessError, OSError, CephNotStarted) as error:
            logs = self._last_lines()
            self.stop()
            raise CephNotStarted(f"{error}\n{logs}") from error
        (self.folder / "endpoint.json").write_text(json.dumps(asdict(endpoint)))
        return endpoint

    def stop(self) -> None:
        """Kill what was started here, hard: the objects are throw-away and a polite stop takes 11 s."""
        if not (self.folder / _MARK).exists():
            return
        pids = [pid for name in _DAEMONS if (pid := self._pid_of(name))]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            while self._is_ours(pid):
                time.sleep(0.01)
        shutil.rmtree(self.folder)

    def _start_all(self) -> Endpoint:
        mon_port, port = free_port(), free_port()
        osd_uuid = str(uuid.uuid4())
        key, secret = f"test{secrets.token_hex(8)}", secrets.token_hex(20)
        for name in ("mon", "osd", "rgw"):
            (self.folder / name).mkdir()
        self._conf.write_text(
            _CONFIGURATION.format(fsid=uuid.uuid4(), folder=self.folder, mon_port=mon_port, port=port)
        )
        self._make_certificate()
        self._start_monitor(mon_port)
        self._repeat("ceph", *self._with_conf, "osd", "new", osd_uuid, "0")
        self._run("ceph-osd", *self._with_conf, "-i", "0", "--mkfs", "--osd-uuid", osd_uuid)
        self._spawn("osd", "ceph-osd", *self._with_conf, "-i", "0", "-f")
        self._spawn("rgw", "radosgw", *self._with_conf, "-n", "client.rgw", "-f")
        user = ("--uid=test", "--display-name=test", f"--access-key={key}", f"--secret-key={secret}")
        self._run("radosgw-admin", *self._with_conf, "-n", "client.admin", "user", "create", *user)
        self._wait_for_port(port)
        endpoint = Endpoint(
            endpoint=f"https://127.0.0.1:{port}",
            region=self._region,
            bucket=self._bucket,
            key=key,
            secret=secret,
            ca_bundle=str(self.folder / "tls.crt"),
        )
        _make_bucket(endpoint)
        return endpoint

    def _start_monitor(self, port: int) -> None:
        keyring, monmap = self.folder / "keyring", self.folder / "monmap"
        everything = ("--cap", "mon", "allow *", "--cap", "osd", "allow *")
        self._run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        for name in ("client.admin", "osd.0", "client.rgw"):
            self._run("ceph-authtool", keyring, "--gen-key", "-n", name, *everything)
        fsid = self._conf.read_text().partition("fsid = ")[2].split()[0]
        self._run("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{port}]", "--fsid", fsid, monmap)
        self._run("ceph-mon", *self._with_conf, "-i", "a", "--mkfs", "--monmap", monmap, "--keyring", keyring)
        self._spawn("mon", "ceph-mon", *self._with_conf, "-i", "a", "-f")

    def _make_certificate(self) -> None:
        key, certificate = self.folder / "tls.key", self.folder / "tls.crt"
        names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30")
        self._run("openssl", "req", "-x509", *kind, *names, "-keyout", key, "-out", certificate)
        (self.folder / "tls.pem").write_bytes(key.read_bytes() + certificate.read_bytes())

    @property
    def _conf(self) -> Path:
        return self.folder / "ceph.conf"

    @property
    def _with_conf(self) -> tuple[str, str]:
        return "-c", str(self._conf)

    def _run(self, *command: object, seconds: float | None = None) -> None:
        with (self.folder / "commands.log").open("ab") as log:
            left = max(0.1, self._deadline - time.monotonic())
            subprocess.run(
                [str(word) for word in command],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=min(seconds or left, left),
            )

    def _repeat(self, *command: str) -> None:
        while True:
            try:
                return self._run(*command, seconds=5)
            except subprocess.SubprocessError:
                if time.monotonic() > self._deadline:
                    raise
                time.sleep(0.1)

    def _spawn(self, name: str, *command: str) -> None:
        # A session of its own: Ctrl-C at the terminal must not end it before the tests are through.
        with (self.folder / f"{name}.out").open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        (self.folder / f"{name}.pid").write_text(str(process.pid))
        process.returncode = 0  # it outlives this object on purpose; its id is in the file

    def _wait_for_port(self, port: int) -> None:
        while True:
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if self._pid_of("rgw") is None or time.monotonic() > self._deadline:
                raise CephNotStarted("the gateway ended or does not answer")
            time.sleep(0.05)

    def _pid_of(self, name: str) -> int | None:
        try:
            pid = int((self.folder / f"{name}.pid").read_text())
        except FileNotFoundError:
            return None
        return pid if self._is_ours(pid) else None

    def _is_ours(self, pid: int) -> bool:
        """Say whether the process runs with this folder's configuration: ids are used again."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return False
        return os.fsencode(self._conf) in words

    def _last_lines(self) -> str:
        logs = sorted((*self.folder.glob("*.out"), *self.folder.glob("commands.log")))
        return "\n".join(
            f"{log.name}: {line}" for log in logs for line in log.read_text(errors="replace").split("\n")[-6:]
        )


def _make_bucket(endpoint: Endpoint) -> None:
    # Here and nowhere else: the program's own key may not make buckets.
    import boto3

    client = boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint.endpoint,
        region_name=endpoint.region,
        aws_access_key_id=endpoint.key,
        aws_secret_access_key=endpoint.secret,
        verify=endpoint.ca_bundle,
    )
    client.create_bucket(Bucket=endpoint.bucket)
    client.close()
