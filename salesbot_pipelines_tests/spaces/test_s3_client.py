"""How the client to Spaces is made, and what leaves through it."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from salesbot_pipelines.settings import SpacesSettings, load_settings
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.spaces.local import LocalStore
from salesbot_pipelines.spaces.open import open_store
from salesbot_pipelines.spaces.s3 import SpacesStore, make_client, shared_client
from salesbot_pipelines.spaces.store import IfAbsent, IfMatch
from salesbot_pipelines_tests.spaces.conftest import BUCKET, ENDPOINT, SECRET

SETTINGS = SpacesSettings("fra1", ENDPOINT, BUCKET, "DO00TEST", SECRET)


def test_all_threads_share_one_client() -> None:
    """A client per upload cost 52 times the upload (the first version's flaw)."""
    settings = replace(SETTINGS, bucket="shared-by-threads")
    gate = threading.Barrier(8)

    def ask() -> object:
        gate.wait()
        return shared_client(settings)

    with ThreadPoolExecutor(8) as threads:
        clients = {id(each.result()) for each in [threads.submit(ask) for _ in range(8)]}
    assert len(clients) == 1
    assert shared_client(settings) is not shared_client(replace(settings, key="another"))


def test_the_settings_that_uploads_depend_on() -> None:
    client = make_client(SETTINGS)
    config = client.meta.config
    assert config.request_checksum_calculation == "when_required"
    assert config.response_checksum_validation == "when_required"
    assert config.signature_version == "s3v4"
    assert config.s3["addressing_style"] == "path"
    assert config.retries == {"mode": "standard", "total_max_attempts": 5}
    assert (config.connect_timeout, config.read_timeout) == (5, 60)
    assert config.max_pool_connections >= 16
    assert config.tcp_keepalive
    assert (client.meta.endpoint_url, client.meta.region_name) == (ENDPOINT, "fra1")
    client.close()


def test_addressing_is_a_choice() -> None:
    client = make_client(SETTINGS, addressing="virtual")
    url = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a"})
    assert url.startswith(f"https://{BUCKET}.fra1.digitaloceanspaces.com/a?")
    client.close()


def test_the_machines_aws_files_and_variables_change_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion = mars-1\nrequest_checksum_calculation = when_supported\ns3 =\n  broken")
    for name, value in {
        "AWS_PROFILE": "nobody",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(config),
        "AWS_ACCESS_KEY_ID": "wrong",
        "AWS_SECRET_ACCESS_KEY": "wrong",
        "AWS_SESSION_TOKEN": "wrong",
        "AWS_DEFAULT_REGION": "mars-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_supported",
    }.items():
        monkeypatch.setenv(name, value)
    client = make_client(SETTINGS)
    assert (client.meta.endpoint_url, client.meta.region_name) == (ENDPOINT, "fra1")
    assert client.meta.config.request_checksum_calculation == "when_required"
    sent: list[object] = []

    def refuse(request: object, **_: object) -> None:
        sent.append(request)
        raise ConnectionAbortedError

    client.meta.events.register_first("before-send.s3", refuse)
    with pytest.raises(ConnectionAbortedError):
        client.put_object(Bucket=BUCKET, Key="a", Body=b"x")
    authorization = sent[0].headers["Authorization"].decode()
    assert "Credential=DO00TEST/" in authorization
    assert "/fra1/s3/aws4_request" in authorization
    assert "X-Amz-Security-Token" not in sent[0].headers
    client.close()


def test_neither_store_nor_client_show_the_secret() -> None:
    client = make_client(SETTINGS)
    store = SpacesStore(client, BUCKET)
    for text in (repr(store), str(store), store.url, store.uri("a"), repr(client), repr(SETTINGS), str(vars(store))):
        assert SECRET not in text
    client.close()


def test_only_object_calls_are_made(moto_client: object, keys: ShopKeys) -> None:
    """Limited keys may make no bucket calls; deletes in bulk lack a checksum that some stores ask for."""
    called: set[str] = set()
    moto_client.meta.events.register("before-call.s3", lambda model, **_: called.add(model.name), unique_id="calls")
    try:
        store = SpacesStore(moto_client, BUCKET)
        put = store.put(keys.document, b"1", content_type="application/json", condition=IfAbsent())
        store.put(keys.document, b"2", content_type="application/json", condition=IfMatch(put.etag))
        store.read(keys.document)
        for key in list(store.list(keys.prefix)):
            store.delete(key)
    finally:
        moto_client.meta.events.unregister("before-call.s3", unique_id="calls")
    assert called == {"PutObject", "HeadObject", "GetObject", "ListObjects", "DeleteObject"}


def test_the_document_leaves_as_one_private_signed_put(moto_client: object, keys: ShopKeys, tmp_path: Path) -> None:
    """`assert_wire` looks at every request of every test as well; here one is spelt out."""
    sent: list[object] = []

    def keep(request: object, **_: object) -> None:
        sent.append(request)

    moto_client.meta.events.register_first("before-send.s3.PutObject", keep)
    source = tmp_path / "document"
    source.write_bytes(b"{}" * 300_000)
    put = SpacesStore(moto_client, BUCKET, conditional=True).put(
        keys.document,
        source,
        content_type="application/json",
        metadata={"fetched-at": "2026-11-01T02:00:00Z"},
        condition=IfAbsent(),
    )
    moto_client.meta.events.unregister("before-send.s3.PutObject", keep)
    (request,) = sent
    assert request.url == f"{ENDPOINT}/{BUCKET}/{keys.document}"
    headers = {name.lower(): v.decode() if isinstance(v, bytes) else v for name, v in request.headers.items()}
    assert headers["content-length"] == "600000"
    assert headers["content-type"] == "application/json"
    assert headers["x-amz-acl"] == "private"
    assert headers["x-amz-meta-sha256"] == headers["x-amz-content-sha256"] == put.sha256
    assert headers["x-amz-meta-fetched-at"] == "2026-11-01T02:00:00Z"
    assert headers["if-none-match"] == "*"
    assert len(headers["x-amz-meta-put-id"]) == 32
    assert "put-id" not in put.metadata
    assert "transfer-encoding" not in headers


def test_the_store_keeps_its_own_metadata_to_itself(moto_client: object, keys: ShopKeys) -> None:
    with pytest.raises(ValueError):
        SpacesStore(moto_client, BUCKET).put(keys.document, b"", content_type="a/b", metadata={"put-id": "x"})


def test_the_settings_choose_the_store(tmp_path: Path) -> None:
    local = open_store(load_settings({"SALESBOT_HOME": str(tmp_path / "home")}))
    assert isinstance(local, LocalStore)
    assert local.root == tmp_path / "home" / "objects"
    assert not local.root.exists()
    spaces = {"SPACES_BUCKET": BUCKET, "SPACES_REGION": "fra1", "SPACES_KEY": "DO00TEST", "SPACES_SECRET": SECRET}
    store = open_store(load_settings(spaces))
    assert isinstance(store, SpacesStore)
    assert store.url == f"{ENDPOINT}/{BUCKET}"
    assert store.uri("a/b") == f"s3://{BUCKET}/a/b"
    assert open_store(load_settings(spaces)).client is store.client


def test_the_local_store_does_not_import_boto3(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from salesbot_pipelines.settings import load_settings\n"
        "from salesbot_pipelines.spaces.open import open_store\n"
        "from salesbot_pipelines.spaces.probe import probe\n"
        "probe(open_store(load_settings({'SALESBOT_HOME': sys.argv[1]})))\n"
        "sys.exit('boto3' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0
