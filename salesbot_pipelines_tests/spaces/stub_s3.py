"""A small S3 on 127.0.0.1 that fails on demand, in the ways a real one cannot be made to.

`stub.faults` is a list of faults, each used up by one request of its verb; `stub.always` holds faults
that stay. Signatures are not looked at: the gateway's tests do that. One server lives for many tests,
each with a `StubS3` of its own, so that late answers of one test cannot touch the next.
"""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Answer:
    """Answer so, without touching what is stored."""

    verb: str
    status: int
    code: str = ""
    message: str | None = None
    body: bytes | None = None


@dataclass(frozen=True)
class Late:
    """Do the work, then wait before the answer."""

    verb: str
    seconds: float


@dataclass(frozen=True)
class Lost:
    """Do the work, then answer 500 or, without a status, break the connection."""

    verb: str
    status: int | None = None
    then: object = None  # called with the stub once the work is done


@dataclass(frozen=True)
class Cut:
    """Send only so many bytes of the object; `honest` says so in Content-Length."""

    honest: bool
    length: int = 10
    verb: str = "GET"


@dataclass(frozen=True)
class Damage:
    """Change one byte on the way."""

    verb: str = "GET"


@dataclass
class Stored:
    content: bytes
    headers: dict[str, str]

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content).hexdigest()}"'


@dataclass
class Behaviour:
    enforce_conditions: bool = True
    knows_conditions: bool = True
    public: bool = False
    framing: bool = False
    capitalise: bool = False
    clock_offset: timedelta | None = timedelta(0)
    absent_is_404: bool = False
    listing: bytes | None = None


@dataclass
class StubS3:
    behaviour: Behaviour = field(default_factory=Behaviour)
    faults: list[object] = field(default_factory=list)
    always: list[object] = field(default_factory=list)
    objects: dict[str, Stored] = field(default_factory=dict)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def verbs(self) -> list[str]:
        return [verb for verb, _, _ in self.seen]

    def take(self, verb: str) -> object | None:
        with self.lock:
            for fault in self.faults:
                if fault.verb == verb:
                    self.faults.remove(fault)
                    return fault
        return next((fault for fault in self.always if fault.verb == verb), None)


class StubServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stub = StubS3()

    def __enter__(self) -> StubServer:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that hang up early are what some tests are about


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StubServer

    def log_message(self, *_: object) -> None:
        pass

    def send_response(self, code: int, message: str | None = None) -> None:
        self.send_response_only(code, message)
        offset = self.stub.behaviour.clock_offset
        if offset is not None:
            self.send_header("Date", format_datetime(datetime.now(UTC) + offset, usegmt=True))

    def do_PUT(self) -> None:
        self._serve("PUT")

    def do_GET(self) -> None:
        self._serve("GET")

    def do_HEAD(self) -> None:
        self._serve("HEAD")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, verb: str) -> None:
        self.stub = stub = self.server.stub
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        _, _, key = unquote(parts.path).lstrip("/").partition("/")
        if verb == "GET" and not key:
            verb = "LIST"
        headers = {name.lower(): value for name, value in self.headers.items()}
        with stub.lock:
            stub.seen.append((verb, key, headers))
        fault = stub.take(verb)
        if isinstance(fault, Answer):
            return self._refuse(fault.status, fault.code, fault.message, fault.body)
        work = {"PUT": self._put, "GET": self._get, "HEAD": self._get, "DELETE": self._delete, "LIST": self._list}
        with stub.lock:
            answer = work[verb](key, body, headers, parse_qs(parts.query))
        if isinstance(fault, Late):
            time.sleep(fault.seconds)
        if isinstance(fault, Lost):
            if fault.then:
                fault.then(stub)
            if fault.status is None:
                return self._break()
            return self._refuse(fault.status, "InternalError")
        return self._answer(verb, fault, *answer)

    def _put(self, key: str, body: bytes, headers: dict[str, str], _: object) -> tuple:
        stub, there = self.stub, self.stub.objects.get(key)
        conditional = "if-match" in headers or "if-none-match" in headers
        if conditional and not stub.behaviour.knows_conditions:
            return 501, {}, _error("NotImplemented", None)
        if conditional and stub.behaviour.enforce_conditions:
            if "if-none-match" in headers and there:
                return 412, {}, _error("PreconditionFailed", None)
            if "if-match" in headers and there is None and stub.behaviour.absent_is_404:
                return 404, {}, _error("NoSuchKey", None)
            if "if-match" in headers and (there is None or there.etag.strip('"') != headers["if-match"]):
                return 412, {}, _error("PreconditionFailed", None)
        kept = {name: value for name, value in headers.items() if name.startswith("x-amz-meta-")}
        if stub.behaviour.framing:
            body = b"%x\r\n" % len(body) + body + b"\r\n0\r\n"
        stub.objects[key] = Stored(body, kept | {"content-type": headers["content-type"]})
        return 200, {"ETag": stub.objects[key].etag}, b""

    def _get(self, key: str, _body: bytes, headers: dict[str, str], _: object) -> tuple:
        stub = self.stub
        if "authorization" not in headers and not stub.behaviour.public:
            return 403, {}, _error("AccessDenied", None)
        if key not in stub.objects:
            return 404, {}, _error("NoSuchKey", None)
        there = stub.objects[key]
        given = there.headers
        if stub.behaviour.capitalise:
            given = {f"X-Amz-Meta-{name[11:].title()}": v for name, v in given.items() if name.startswith("x-amz-")}
        return 200, {"ETag": there.etag, **given}, there.content

    def _delete(self, key: str, *_: object) -> tuple:
        self.stub.objects.pop(key, None)
        return 204, {}, b""

    def _list(self, _key: str, _body: bytes, _headers: object, query: dict[str, list[str]]) -> tuple:
        stub = self.stub
        if stub.behaviour.listing is not None:
            return 200, {}, stub.behaviour.listing
        prefix, marker = query.get("prefix", [""])[0], query.get("marker", [""])[0]
        keys = sorted(key for key in stub.objects if key.startswith(prefix) and key > marker)
        most = int(query.get("max-keys", ["1000"])[0])
        contents = "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in keys[:most])
        truncated = "true" if len(keys) > most else "false"
        xml = f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{contents}</ListBucketResult>"
        return 200, {}, xml.encode()

    def _answer(self, verb: str, fault: object, status: int, headers: dict[str, str], body: bytes) -> None:
        length = len(body)
        if isinstance(fault, Cut):
            body = body[: fault.length]
            length = len(body) if fault.honest else length
        if isinstance(fault, Damage):
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if verb != "HEAD":
            self.wfile.write(body)
        if length > len(body):
            self._break()

    def _refuse(self, status: int, code: str, message: str | None = None, body: bytes | None = None) -> None:
        content = _error(code, message) if body is None else body
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _break(self) -> None:
        """End with RST, as a crashed server does."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _error(code: str, message: str | None) -> bytes:
    text = f"<Message>{escape(message)}</Message>" if message is not None else ""
    return f"<Error><Code>{code}</Code>{text}<RequestId>1</RequestId></Error>".encode()
