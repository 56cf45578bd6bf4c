"""DigitalOcean Spaces, or any store that speaks S3, through boto3.

Promise: one `put_object` is one whole object, private, with its digest in its metadata; a condition is
enforced by the store or, where the store cannot, looked at first with a warning in the log; our own
write that boto3 had to repeat is known again and never mistaken for somebody else's.

Not here: uploads in parts (`upload_fileobj` cannot be conditional and has other ETags), `delete_objects`
(lost its Content-MD5 in boto3 1.36), conditional deletes (not enforced), bucket calls (limited keys may
not make them).
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from salesbot_pipelines.errors import (
    ObjectMissing,
    PreconditionFailed,
    StoreError,
    StoreRefused,
    StoreUnavailable,
)
from salesbot_pipelines.spaces.conditions import check_conditions
from salesbot_pipelines.spaces.keys import check_key
from salesbot_pipelines.spaces.s3_client import make_client, shared_client
from salesbot_pipelines.spaces.s3_errors import errors_as_ours
from salesbot_pipelines.spaces.store import (
    NO_METADATA,
    SHA256,
    Condition,
    IfAbsent,
    ObjectInfo,
    OnRequest,
    check_metadata,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, PutObjectRequestTypeDef

__all__ = ["SpacesStore", "make_client", "shared_client"]

log = logging.getLogger(__name__)

PUT_ID = "put-id"
# https://docs.digitalocean.com/products/spaces/details/limits/: a single PUT.
_LARGEST_PUT_BYTES = 5 * 1024**3
_CHUNK_BYTES = 1 << 20
_IN_MEMORY_BYTES = 1 << 20
_DOWNLOAD_ATTEMPTS = 3


class SpacesStore:
    """An `ObjectStore` in one bucket. Threads may share it.

    `conditional` says whether the store enforces conditions; None finds out before the first
    conditional put, at the cost of some requests on a throw-away key.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        *,
        conditional: bool | None = None,
        on_request: OnRequest | None = None,
    ) -> None:
        self.client = client
        self.bucket = bucket
        self._conditional = conditional
        self._finding_out = threading.Lock()
        self._on_request = on_request

    def __repr__(self) -> str:
        return f"SpacesStore({self.url!r})"

    @property
    def url(self) -> str:
        return f"{self.client.meta.endpoint_url}/{self.bucket}"

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{check_key(key)}"

    @property
    def conditional(self) -> bool:
        with self._finding_out:
            if self._conditional is None:
                self._conditional = check_conditions(self.trusting()).all
                if not self._conditional:
                    log.warning(
                        "%s does not enforce conditional writes: a write is only preceded by a look", self.url
                    )
            return self._conditional

    def trusting(self) -> SpacesStore:
        """Return the same store, told that conditions hold: it sends them without asking first."""
        return SpacesStore(self.client, self.bucket, conditional=True, on_request=self._on_request)

    def head(self, key: str) -> ObjectInfo | None:
        self._begin("HEAD", key)
        try:
            with errors_as_ours("HEAD", key):
                answer = self.client.head_object(Bucket=self.bucket, Key=key)
        except ObjectMissing:
            return None
        return _info(key, answer["ContentLength"], answer["ETag"], answer["Metadata"])

    def read(self, key: str) -> bytes:
        return cast(BytesIO, self._download(key, BytesIO)).getvalue()

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """Fetch the object into a private temporary file first, so that no unchecked byte is ever read."""
        file = self._download(key, _temporary_file)
        try:
            file.seek(0)
            yield file
        finally:
            _close(file)

    def put(
        self,
        key: str,
        source: bytes | Path,
        *,
        content_type: str,
        metadata: Mapping[str, str] = NO_METADATA,
        condition: Condition | None = None,
    ) -> ObjectInfo:
        check_key(key)
        if PUT_ID in metadata:
            raise ValueError(f"{PUT_ID} is the store's own metadata")
        with _opened(source) as body:
            digest = hashlib.file_digest(body, "sha256").hexdigest()
            size = body.seek(0, os.SEEK_END)
            body.seek(0)
            if size > _LARGEST_PUT_BYTES:
                raise StoreRefused(f"{key} has {size} bytes, more than one PUT takes", key=key, advice="")
            fields = check_metadata(metadata, sha256=digest)
            if condition is not None and not self.conditional:
                self._look_first(key, condition)
                condition = None
            request: PutObjectRequestTypeDef = {
                "Bucket": self.bucket,
                "Key": key,
                "Body": body,
                "ContentLength": size,
                "ContentType": content_type,
                "ACL": "private",
                "Metadata": {**fields, PUT_ID: uuid.uuid4().hex},
            }
            return self._put(request, condition)

    def delete(self, key: str) -> None:
        self._begin("DELETE", key)
        with suppress(ObjectMissing), errors_as_ours("DELETE", key):
            self.client.delete_object(Bucket=self.bucket, Key=key)

    def list(self, prefix: str) -> Iterator[str]:
        # Version 1 of the call: reports say that Spaces does not page version 2 rightly.
        marker = ""
        while True:
            if self._on_request:
                self._on_request("LIST", prefix)
            with errors_as_ours("LIST", prefix):
                page = self.client.list_objects(Bucket=self.bucket, Prefix=prefix, Marker=marker)
            keys = [entry["Key"] for entry in page.get("Contents", [])]
            yield from keys
            if not page.get("IsTruncated"):
                return
            if not keys or keys[-1] <= marker:
                raise StoreUnavailable(f"LIST {prefix}: the store says there is more but not where", key=prefix)
            marker = keys[-1]

    def _put(self, request: PutObjectRequestTypeDef, condition: Condition | None) -> ObjectInfo:
        key, fields = request["Key"], dict(request["Metadata"])
        if isinstance(condition, IfAbsent):
            request["IfNoneMatch"] = "*"
        elif condition is not None:
            request["IfMatch"] = condition.etag
        self._begin("PUT", key)
        try:
            with errors_as_ours("PUT", key):
                answer = self.client.put_object(**request)
        except (PreconditionFailed, StoreUnavailable):
            # An earlier attempt of this very put may have been stored and its answer lost.
            own = self._own_write(key, fields[PUT_ID])
            if own is None:
                raise
            return own
        except ObjectMissing as error:
            # Some stores answer 404 when If-Match meets no object.
            raise PreconditionFailed(f"{key} is gone", key=key) from error
        return _info(key, request["ContentLength"], answer["ETag"], fields)

    def _own_write(self, key: str, put_id: str) -> ObjectInfo | None:
        with suppress(StoreError):
            self._begin("HEAD", key)
            with errors_as_ours("HEAD", key):
                answer = self.client.head_object(Bucket=self.bucket, Key=key)
            if _lower(answer["Metadata"]).get(PUT_ID) == put_id:
                return _info(key, answer["ContentLength"], answer["ETag"], answer["Metadata"])
        return None

    def _look_first(self, key: str, condition: Condition) -> None:
        current = self.head(key)
        if isinstance(condition, IfAbsent):
            if current:
                raise PreconditionFailed(f"{key} exists already", key=key)
        elif current is None or current.etag != condition.etag:
            raise PreconditionFailed(f"{key} is no longer the object that was seen", key=key)

    def _download(self, key: str, make_target: Callable[[], BinaryIO]) -> BinaryIO:
        """Fetch the whole object into a new target, again when it arrives cut or damaged."""
        attempt = 1
        while True:
            self._begin("GET", key)
            target = make_target()
            try:
                with errors_as_ours("GET", key):
                    _receive(key, self.client.get_object(Bucket=self.bucket, Key=key), target)
                return target
            except StoreError as error:
                _close(target)
                if attempt == _DOWNLOAD_ATTEMPTS or not error.retryable:
                    raise
                log.warning("GET %s: attempt %d gave no whole object, again", key, attempt)
                attempt += 1

    def _begin(self, verb: str, key: str) -> None:
        check_key(key)
        if self._on_request:
            self._on_request(verb, key)


def _receive(key: str, answer: GetObjectOutputTypeDef, target: BinaryIO) -> None:
    digest = hashlib.sha256()
    with closing(answer["Body"]) as body:
        for chunk in body.iter_chunks(_CHUNK_BYTES):
            digest.update(chunk)
            _keep(key, chunk, target)
    # botocore has compared the length; a proxy may have cut both the body and its length.
    if _lower(answer["Metadata"]).get(SHA256, digest.hexdigest()) != digest.hexdigest():
        raise StoreUnavailable(f"GET {key}: the bytes are not those that were stored", key=key)


def _keep(key: str, chunk: bytes, target: BinaryIO) -> None:
    try:
        target.write(chunk)
        target.flush()
    except OSError as error:  # the temporary folder is full
        raise StoreUnavailable(f"GET {key}: cannot keep it here ({error.strerror})", key=key) from error


def _temporary_file() -> BinaryIO:
    return cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES))


def _close(file: BinaryIO) -> None:
    with suppress(OSError):  # on a full disk the rest of its buffer fails once more; the file is gone all the same
        file.close()


@contextmanager
def _opened(source: bytes | Path) -> Iterator[BufferedReader | BytesIO]:
    with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as body:
        yield body


def _info(key: str, size: int, etag: str, metadata: Mapping[str, str]) -> ObjectInfo:
    fields = {name: text for name, text in _lower(metadata).items() if name != PUT_ID}
    return ObjectInfo(key=key, size=size, etag=etag.strip('"'), metadata=fields)


def _lower(metadata: Mapping[str, str]) -> dict[str, str]:
    # Some stores give names back capitalised.
    return {name.lower(): text for name, text in metadata.items()}
