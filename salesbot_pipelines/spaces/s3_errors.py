"""What a store's answer means: boto3's errors turned into the `StoreError` family.

Promise: nothing that boto3 or botocore raises leaves this room as it is, and each text names the
variable to mend where there is one. Deciding what to do about an error does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
    SSLError,
)
from botocore.exceptions import ConnectionError as NoConnection
from botocore.parsers import ResponseParserError

from salesbot_pipelines.errors import (
    ObjectMissing,
    PreconditionFailed,
    StoreError,
    StoreRefused,
    StoreUnavailable,
)

__all__ = ["errors_as_ours"]

_CHECKSUM = (
    "the client must set request_checksum_calculation and response_checksum_validation to when_required "
    "(AWS_REQUEST_CHECKSUM_CALCULATION, AWS_RESPONSE_CHECKSUM_VALIDATION for other clients)"
)
_PLACE = "check SPACES_REGION, SPACES_ENDPOINT and SPACES_BUCKET: the bucket lies elsewhere"
_ADVICE = {
    "AccessDenied": "give SPACES_KEY read and write on SPACES_BUCKET",
    "AuthorizationHeaderMalformed": _PLACE,
    "InvalidAccessKeyId": "check SPACES_KEY",
    "MissingContentLength": _CHECKSUM,
    "MissingContentMD5": _CHECKSUM,
    "NoSuchBucket": "check SPACES_BUCKET and SPACES_ENDPOINT: there is no such bucket",
    "NotImplemented": "the store does not know this call",
    "PermanentRedirect": _PLACE,
    "RequestTimeTooSkewed": "set this machine's clock",
    "SignatureDoesNotMatch": "check SPACES_SECRET, and this machine's clock",
    "XAmzContentSHA256Mismatch": _CHECKSUM,
}
_NO_WHOLE_ANSWER = (
    HTTPClientError,
    IncompleteReadError,
    NoConnection,
    ResponseParserError,
    ResponseStreamingError,
)
# 400s that tell of a broken transmission, not of a wrong request.
_PASSING = {"BadDigest", "IncompleteBody", "RequestTimeout", "SlowDown", "TooManyRequests", "Throttling"}
_MESSAGE_LENGTH = 200


@contextmanager
def errors_as_ours(verb: str, key: str) -> Iterator[None]:
    """Raise what boto3 raises inside as a `StoreError` that says what was attempted on which key."""
    try:
        yield
    except ClientError as error:
        raise _answered(error, f"{verb} {key}", key) from error
    except _NO_WHOLE_ANSWER as error:
        raise _broken(error, f"{verb} {key}", key) from error
    except BotoCoreError as error:
        raise StoreRefused(f"{verb} {key}: {type(error).__name__}", key=key) from error


def _answered(error: ClientError, what: str, key: str) -> StoreError:
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    # Neither part is certain: a HEAD has no body, and a Ceph gateway sends no Message.
    code = str(error.response.get("Error", {}).get("Code") or status)
    message = error.response.get("Error", {}).get("Message")
    text = f"{what}: the store answered {status} {code}" if code != str(status) else f"{what}: {status}"
    if message:
        text += f", {' '.join(str(message).split())[:_MESSAGE_LENGTH]}"
    if status in (409, 412):
        return PreconditionFailed(text, key=key)
    if status == 404 and code in ("404", "NoSuchKey"):
        return ObjectMissing(text, key=key)
    if code in _PASSING or status in (408, 429) or (status >= 500 and status != 501):
        return StoreUnavailable(text, key=key)
    if status in (301, 307):
        return StoreRefused(text, key=key, advice=_PLACE)
    return StoreRefused(text, key=key, advice=_ADVICE.get(code))


def _broken(error: Exception, what: str, key: str) -> StoreError:
    if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        advice = "check SPACES_ENDPOINT; a private certificate authority is named by AWS_CA_BUNDLE"
        return StoreRefused(f"{what}: the store's certificate is not trusted", key=key, advice=advice)
    return StoreUnavailable(f"{what}: no whole answer ({type(error).__name__})", key=key)
