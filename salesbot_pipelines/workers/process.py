"""One worker process, spoken to through its standard input and output.

It ends by itself when this process does, however that ends: its input ends then. Nothing secret reaches it, for it
gets no more of the environment than Python needs.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Any, TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")

_SIZE_BYTES = 8
_PIPE_BYTES = 1024 * 1024
"""The most that Linux gives a pipe of anyone who is not root."""
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")


class WorkerFailed(Exception):
    """The function raised an error there; the worker goes on."""


class WorkerGone(Exception):
    """The worker died."""


class WorkerProcess:
    """`python -m salesbot_pipelines.workers`, which does one item after the other."""

    def __init__(self, imports: Sequence[str] = ()) -> None:
        """Start it; it imports these modules while it waits for its first item."""
        environ = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "salesbot_pipelines.workers", *imports],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        for pipe in (self._process.stdin, self._process.stdout):
            _widen(pipe)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"worker-{self._process.pid}")

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def submit(self, function: Callable[[T], R], item: T) -> Future[R]:
        """Have the worker do an item; the future raises `WorkerFailed` or `WorkerGone`."""
        return self._thread.submit(self._call, function, item)

    def close(self) -> None:
        """End it at once, and wait until it is gone."""
        self._process.kill()
        self._thread.shutdown(wait=True, cancel_futures=True)
        with self._process, suppress(BrokenPipeError):  # half a message may still lie in the buffer
            assert self._process.stdin is not None
            self._process.stdin.close()

    def _call(self, function: Callable[[T], R], item: T) -> R:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            send(self._process.stdin, (function, item))
            done, result = receive(self._process.stdout)
        except (OSError, EOFError) as error:
            raise WorkerGone(f"the worker process ended ({type(error).__name__})") from error
        if not done:
            raise WorkerFailed(f"the worker process met {result}")
        return cast("R", result)


def _widen(pipe: IO[bytes] | None) -> None:
    """Let a whole item lie in the pipe: a thread that has to come back for more waits for Python's lock each time."""
    if pipe is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # the system allows no more; then it takes longer
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def send(pipe: IO[bytes], value: Any) -> None:
    """Write one value."""
    content = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    pipe.write(len(content).to_bytes(_SIZE_BYTES, "big") + content)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Read one value; raise `EOFError` when there is no whole one."""
    size = pipe.read(_SIZE_BYTES)
    wanted = int.from_bytes(size, "big")
    content = pipe.read(wanted)
    if len(size) < _SIZE_BYTES or len(content) < wanted:
        raise EOFError
    return pickle.loads(content)  # noqa: S301  what comes here was written by this program's other process
