"""What only a real gateway over TLS shows: the reasons for our settings, and its own refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from salesbot_pipelines.errors import PreconditionFailed, StoreRefused
from salesbot_pipelines.settings import SpacesSettings
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.spaces.probe import probe
from salesbot_pipelines.spaces.s3 import SpacesStore, make_client
from salesbot_pipelines.spaces.store import IfMatch
from salesbot_pipelines_tests.ceph import Endpoint
from salesbot_pipelines_tests.spaces.conftest import settings_of
from salesbot_pipelines_tests.spaces.wire import assert_wire

pytestmark = pytest.mark.ceph


def store_with(settings: SpacesSettings, ceph: Endpoint, ca_bundle: str | None = None) -> SpacesStore:
    client = make_client(settings, ca_bundle=Path(ca_bundle or ceph.ca_bundle), attempts=1)
    return SpacesStore(client, settings.bucket, conditional=True)


def test_a_client_without_our_settings_uploads_all_or_is_refused(ceph: Endpoint, key: str) -> None:
    """Why `when_required`: boto3's defaults send a trailer, which older gateways do not take over TLS."""
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=ceph.endpoint,
        region_name=ceph.region,
        aws_access_key_id=ceph.key,
        aws_secret_access_key=ceph.secret,
        verify=ceph.ca_bundle,
    )
    refusal = None
    try:
        client.put_object(Bucket=ceph.bucket, Key=key, Body=b"{}")
    except ClientError as error:
        refusal = error.response
    if refusal is None:
        assert client.get_object(Bucket=ceph.bucket, Key=key)["Body"].read() == b"{}"
    else:
        assert refusal["ResponseMetadata"]["HTTPStatusCode"] == 411
        assert refusal["Error"]["Code"] == "MissingContentLength"
        assert refusal["Error"].get("Message") is None
    client.close()


def test_the_gateway_knows_no_quoted_etag(ceph_client: object, ceph: Endpoint, key: str) -> None:
    """Why the quotes go: with them the very ETag that the gateway returned does not match."""
    store = SpacesStore(ceph_client, ceph.bucket, conditional=True)
    put = store.put(key, b"1", content_type="application/json")
    condition = IfMatch(put.etag)
    object.__setattr__(condition, "etag", f'"{put.etag}"')
    ceph_client.meta.events.unregister("before-send.s3", assert_wire)
    try:
        with pytest.raises(PreconditionFailed):
            store.put(key, b"2", content_type="application/json", condition=condition)
    finally:
        ceph_client.meta.events.register_first("before-send.s3", assert_wire)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"secret": "wrong"}, "SPACES_SECRET"),
        ({"key": "unknown"}, "SPACES_KEY"),
        ({"bucket": "no-such-bucket"}, "SPACES_BUCKET"),
    ],
    ids=["secret", "key", "bucket"],
)
def test_a_wrong_setting_is_named(ceph: Endpoint, keys: ShopKeys, change: dict[str, str], named: str) -> None:
    store = store_with(replace(settings_of(ceph), **change), ceph)
    with pytest.raises(StoreRefused) as caught:
        store.put(keys.document, b"{}", content_type="application/json")
    assert named in caught.value.public_text
    report = probe(store)
    assert not report.ok
    assert named in report.findings[0].fix
    store.client.close()


def test_an_unknown_certificate_is_refused(ceph: Endpoint, keys: ShopKeys) -> None:
    import certifi

    store = store_with(settings_of(ceph), ceph, ca_bundle=certifi.where())
    with pytest.raises(StoreRefused) as caught:
        store.head(keys.document)
    assert "AWS_CA_BUNDLE" in caught.value.public_text
    store.client.close()


def test_any_region_slug_is_accepted(ceph: Endpoint, keys: ShopKeys) -> None:
    for region in ("us-east-1", "nyc3", "fra1"):
        store = store_with(replace(settings_of(ceph), region=region), ceph)
        store.put(keys.raw("products"), region.encode(), content_type="application/gzip")
        assert store.read(keys.raw("products")) == region.encode()
        store.client.close()
