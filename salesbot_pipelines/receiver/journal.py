"""The log: one JSON object a line, written by a thread of its own.

A reader that stops reading (a full pipe, a full disk) must not hold up the door, so lines wait in a bounded
queue and the newest are dropped and counted when it is full. What goes into a line is chosen field by field
where it is made: no payload, no query string, no header but topic, shop and webhook id.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from salesbot_pipelines.receiver.metrics import Counter

_LONGEST_QUEUE = 20_000
_PAUSE_SECONDS = 0.2

_encode = msgspec.json.Encoder().encode


class Journal:
    """Takes lines from any thread and writes them in batches; `close` writes what is left."""

    def __init__(self, stream: IO[bytes] | None = None, *, lost: Counter | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr.buffer
        self._lost = lost
        self._lines: deque[dict[str, Any]] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def note(self, event: str, /, **fields: Any) -> None:
        """Add a line: what happened, and its fields, each of which JSON can hold."""
        self.put({"time": datetime.now(UTC), "event": event, **fields})

    def put(self, line: dict[str, Any]) -> None:
        """Add a line as it is."""
        if len(self._lines) >= _LONGEST_QUEUE:
            if self._lost is not None:
                self._lost.add()
            return
        self._lines.append(line)

    def close(self, *, wait_seconds: float = 1.0) -> None:
        """Write what waits, for as long as given, and stop."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(wait_seconds)

    def flush(self) -> None:
        """Write what waits. Raises `OSError` when the reader is gone."""
        batch = bytearray()
        # Not until none waits: lines that come as fast as they are taken would keep the batch growing.
        for _ in range(len(self._lines)):
            batch += _encode(self._lines.popleft())
            batch += b"\n"
        if batch:
            self._stream.write(batch)
            self._stream.flush()

    def _write(self) -> None:
        while True:
            stopping = self._stopping.wait(_PAUSE_SECONDS)
            try:
                self.flush()
            except (OSError, ValueError):
                # The reader is gone. The door works on: a log is not worth an event.
                self._lines.clear()
            if stopping:
                return


class JournalHandler(logging.Handler):
    """Sends what libraries log to the journal: level, logger and text, and of an exception its kind alone."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(logging.WARNING)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. Its arguments are formatted by the library, whose texts hold no request data."""
        fields: dict[str, Any] = {"level": record.levelname.lower(), "logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = where(record.exc_info[1])
        self._journal.note("log", **fields, text=record.getMessage().strip()[:500])


def where(error: BaseException) -> str:
    """Name an exception's kind and the line it came from; its text may quote what came from outside."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
