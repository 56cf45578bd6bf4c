"""The stores that the contract is tested on, and the hook that reads what is sent to Spaces."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ENDPOINT = "https://fra1.digitaloceanspaces.com"
# Read by moto when it is imported; without it moto lets calls to this host out to the real network.
os.environ.setdefault("MOTO_S3_CUSTOM_ENDPOINTS", ENDPOINT)

from moto import mock_aws  # noqa: E402
from moto.core.models import botocore_stubber  # noqa: E402

from salesbot_pipelines.settings import SpacesSettings  # noqa: E402
from salesbot_pipelines.spaces.keys import ShopKeys  # noqa: E402
from salesbot_pipelines.spaces.local import LocalStore  # noqa: E402
from salesbot_pipelines.spaces.s3 import SpacesStore, make_client  # noqa: E402
from salesbot_pipelines_tests.ceph import Endpoint, endpoint_for_tests  # noqa: E402
from salesbot_pipelines_tests.spaces.stub_s3 import StubS3, StubServer  # noqa: E402
from salesbot_pipelines_tests.spaces.wire import assert_wire  # noqa: E402

BUCKET = "salesbot-test"
SECRET = "a-secret-that-shows-nowhere"


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Endpoint:
    return endpoint_for_tests(tmp_path_factory)


@pytest.fixture(scope="session")
def ceph_client(ceph: Endpoint) -> Iterator[object]:
    client = make_client(settings_of(ceph), ca_bundle=Path(ceph.ca_bundle), attempts=3)
    client.meta.events.register_first("before-send.s3", assert_wire)
    yield client
    client.close()


@pytest.fixture(scope="session")
def client_for_moto() -> Iterator[object]:
    client = make_client(SpacesSettings("fra1", ENDPOINT, BUCKET, "DO00TEST", SECRET), attempts=2)
    yield client
    client.close()


@pytest.fixture
def moto_client(client_for_moto: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """The client with an empty bucket; moto answers one request at a time.

    Its objects close under a reader when another thread overwrites them.
    """
    alone, answer = threading.Lock(), botocore_stubber.process_request

    def one_at_a_time(request: object) -> object:
        with alone:
            return answer(request)

    monkeypatch.setattr(botocore_stubber, "process_request", one_at_a_time)
    with mock_aws():
        client_for_moto.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "fra1"})
        client_for_moto.meta.events.register_first("before-send.s3", assert_wire)
        yield client_for_moto
        client_for_moto.meta.events.unregister("before-send.s3", assert_wire)


@pytest.fixture(scope="session")
def stub_server() -> Iterator[StubServer]:
    with StubServer() as server:
        yield server


@pytest.fixture
def stub(stub_server: StubServer) -> StubS3:
    stub_server.stub = StubS3()
    return stub_server.stub


@pytest.fixture(scope="session")
def stub_clients(stub_server: StubServer) -> Iterator[Callable[..., object]]:
    """Make clients to the stub, one for each set of arguments: making one takes longer than most tests."""
    made: dict[tuple, object] = {}

    def client(**arguments: object) -> object:
        named = tuple(sorted(arguments.items()))
        if named not in made:
            settings = SpacesSettings("fra1", stub_server.endpoint, BUCKET, "DO00TEST", SECRET)
            made[named] = make_client(settings, **arguments)
        return made[named]

    yield client
    for each in made.values():
        each.close()


@pytest.fixture
def stub_store(stub: StubS3, stub_clients: Callable[..., object]) -> Callable[..., SpacesStore]:
    """Make a store on the stub; the arguments are the client's, but for `conditional`."""

    def store(*, conditional: bool | None = True, attempts: int = 3, read_timeout_seconds: float = 5) -> SpacesStore:
        client = stub_clients(attempts=attempts, read_timeout_seconds=read_timeout_seconds)
        return SpacesStore(client, BUCKET, conditional=conditional)

    return store


@pytest.fixture(params=["local", "moto", pytest.param("ceph", marks=pytest.mark.ceph)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    if request.param == "local":
        return LocalStore(tmp_path / "objects")
    client = request.getfixturevalue(f"{request.param}_client")
    return SpacesStore(client, BUCKET)


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "objects")


@pytest.fixture
def keys() -> ShopKeys:
    return ShopKeys(str(uuid.uuid4()), "contract.myshopify.com")


@pytest.fixture
def key(keys: ShopKeys) -> str:
    return keys.document


def settings_of(ceph: Endpoint) -> SpacesSettings:
    return SpacesSettings(ceph.region, ceph.endpoint, ceph.bucket, ceph.key, ceph.secret)


def names_in(root: Path) -> set[str]:
    """Every file below a local store's root, hidden ones included, but for its locks."""
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and ".locks" not in path.parts}
