"""The boto3 client, set up so that Spaces takes what it sends.

Promise: the client depends on our settings alone; of the AWS variables and files on the machine only
the certificates (`AWS_CA_BUNDLE`) and the proxies are heard. What is done with the client does not
belong here.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import boto3
import botocore.session
from botocore.config import Config

from salesbot_pipelines.settings import SpacesSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["make_client", "shared_client"]

_shared: dict[tuple[int, SpacesSettings], S3Client] = {}
_making = threading.Lock()


def shared_client(settings: SpacesSettings) -> S3Client:
    """Return this process's one client for the settings; safe to call and to use from any thread.

    A new session and client for every upload cost 52 times the upload itself. The process id is part
    of the memory's key because a forked child must not write into its parent's connections.
    """
    key = (os.getpid(), settings)
    with _making:
        if key not in _shared:
            _shared[key] = make_client(settings)
        return _shared[key]


def make_client(
    settings: SpacesSettings,
    *,
    addressing: Literal["path", "virtual"] = "path",
    ca_bundle: Path | None = None,
    connections: int = 16,
    attempts: int = 5,
    connect_timeout_seconds: float = 5,
    read_timeout_seconds: float = 60,
) -> S3Client:
    """Make a new client. Prefer `shared_client`: this takes a tenth of a second and 10 MB.

    `attempts` counts the first try; boto3 waits between them by itself, with jitter, up to 20 s.
    """
    # Since 1.36 boto3 sends checksums as trailers unless told otherwise, which such stores refuse over
    # TLS with 411: https://github.com/boto/boto3/issues/4392. Plain http and most stand-ins hide the fault.
    config = Config(
        signature_version="s3v4",
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": addressing, "payload_signing_enabled": True},
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
        connect_timeout=connect_timeout_seconds,
        read_timeout=read_timeout_seconds,
        tcp_keepalive=True,
    )
    session = boto3.session.Session(
        aws_access_key_id=settings.key,
        aws_secret_access_key=settings.secret,
        region_name=settings.region,
        botocore_session=_isolated_session(),
    )
    return session.client(
        "s3",
        endpoint_url=settings.endpoint,
        config=config,
        verify=str(ca_bundle) if ca_bundle else None,
    )


def _isolated_session() -> botocore.session.Session:
    # Somebody's AWS_PROFILE or ~/.aws/config must neither stop nor redirect an upload to Spaces.
    nothing = (None, None, os.devnull, None)
    return botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": nothing,
            "credentials_file": nothing,
        }
    )
