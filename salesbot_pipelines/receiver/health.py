"""Is the process alive, can it take an event, and what has it counted.

`/healthz` fails only when nothing but a new process helps; `/readyz` asks whether the next webhook could be
verified and made durable, and says so with a real write. Neither names a host, a path or a cause: the log does.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from salesbot_pipelines.errors import StateError
from salesbot_pipelines.receiver.door import Door
from salesbot_pipelines.receiver.metrics import CONTENT_TYPE

_ANSWER_SECONDS = 0.5
"""For how long an answer about readiness is given again, so that asking often costs the database nothing."""


class Health:
    """The three routes that operators ask."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")
        self._ready = False

    async def alive(self, _request: Request) -> Response:
        """Say whether this process still works."""
        working = not self._door.committer.broken
        return JSONResponse({"status": "alive" if working else "broken"}, 200 if working else 503)

    async def ready(self, _request: Request) -> Response:
        """Say whether the next event could be made durable."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if now - self._asked_at > _ANSWER_SECONDS:
                self._ready = await self._can_write()
                self._asked_at = asyncio.get_running_loop().time()
        return JSONResponse({"status": "ready" if self._ready else "not ready"}, 200 if self._ready else 503)

    async def metrics(self, _request: Request) -> Response:
        """Give the numbers."""
        return PlainTextResponse(self._door.metrics.text(), headers={"content-type": CONTENT_TYPE})

    async def _can_write(self) -> bool:
        try:
            await self._door.committer.run(self._door.prove_writable)
        except StateError:
            return False
        return True
