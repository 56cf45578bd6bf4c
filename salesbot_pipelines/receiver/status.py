"""The merchant's page: is the shop connected, is its catalog published, what is missing, what can be done.

It shows one shop, the one whose login this browser's session came from, and never a reason of ours: a
refresh that failed is told as "it will be tried again", and the log and Dagster hold the why.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from salesbot_pipelines.catalog.model import Omission
from salesbot_pipelines.errors import RequestRefused
from salesbot_pipelines.receiver import wording
from salesbot_pipelines.receiver.cookies import SESSION
from salesbot_pipelines.receiver.door import Door
from salesbot_pipelines.receiver.pages import Markup, fill, joined, page, wants_json
from salesbot_pipelines.refresh.fleet import read_manifest
from salesbot_pipelines.refresh.manifest import Manifest, parse_time
from salesbot_pipelines.state.installs import Install
from salesbot_pipelines.state.work_status import WorkStatus

Stage = Literal["queued", "running", "waiting", "stopped", "published", "needs_reauth"]

_BUSY_SECONDS = 3
_CALM_SECONDS = 30
_COUNTED = ("products", "variants", "collections", "discounts")
_BUSY: tuple[Stage, ...] = ("queued", "running")
_ONCE_PUBLISHED: dict[Stage, str] = {"queued": "updating", "running": "updating", "waiting": "behind"}
"""How a stage is told when a document is there already."""

WEBHOOKS_NOTICE = "webhooks"
"""The value of `?notice=` with which a login ends whose subscriptions Shopify did not take."""


@dataclass(frozen=True)
class View:
    """What there is to say about one shop."""

    install: Install
    work: WorkStatus | None
    manifest: Manifest | None
    now: datetime

    @property
    def stage(self) -> Stage:
        """Where the shop stands, in one word."""
        if self.install.status == "needs_reauth":
            return "needs_reauth"
        work = self.work
        if work is None:
            return "queued"
        if work.parked:
            return "stopped"
        if work.lease_until is not None and work.lease_until > self.now:
            return "running"
        if work.wanted > work.done:
            return "waiting" if work.attempts else "queued"
        return "published" if self.is_published else "queued"

    @property
    def is_published(self) -> bool:
        """Does a document lie in the store? One that cannot be looked at right now does."""
        return self.manifest is not None or (self.work is not None and self.work.last_fetched_at is not None)

    @property
    def omissions(self) -> list[Omission]:
        """What the published document says it lacks."""
        return self.manifest.source.omissions if self.manifest else []

    @property
    def read_at(self) -> datetime | None:
        """When the published document was read at Shopify."""
        return parse_time(self.manifest.fetched_at) if self.manifest else None


class StatusRoute:
    """`GET /shopify/status`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def show(self, request: Request) -> Response:
        """Show the session's shop, as a page or as JSON."""
        view = await run_in_threadpool(self._look, self._door.cookies.read(SESSION, request.cookies))
        if wants_json(request):
            return JSONResponse(_facts(view))
        title, content = _page(view, notice=request.query_params.get("notice", ""))
        seconds = _BUSY_SECONDS if view.stage in _BUSY else _CALM_SECONDS
        return HTMLResponse(page(title, content, refresh_seconds=seconds))

    def _look(self, token: str | None) -> View:
        door = self._door
        session = door.sessions.find(token) if token else None
        install = door.program.installs.find(session.shop) if session else None
        if session is None or install is None or not install.is_connected or install.owner != session.owner:
            raise RequestRefused("no session", status=401)
        manifest = read_manifest(door.program.store, install)
        return View(install, door.program.work.status(install.shop), manifest, door.program.clock.now())


def _facts(view: View) -> dict[str, object]:
    return {
        "shop": view.install.shop,
        "status": view.install.status,
        "refresh": view.stage,
        "published": view.is_published,
        "fetched_at": view.manifest.fetched_at if view.manifest else None,
        "counts": {name: view.manifest.counts.get(name, 0) for name in _COUNTED} if view.manifest else {},
        "missing": [{"section": gap.section, "reason": gap.reason} for gap in view.omissions],
    }


def _page(view: View, *, notice: str) -> tuple[str, Markup]:
    words = wording.STAGES[_ONCE_PUBLISHED.get(view.stage, view.stage) if view.is_published else view.stage]
    name, dot, suffix = view.install.shop.partition(".")
    content = fill(
        "status",
        name=name,
        suffix=dot + suffix,
        tone=words.tone,
        headline=words.headline,
        explanation=words.explanation,
        action=_action(view),
        notice=_notice(notice),
        steps=_steps(view),
        counts=_counts(view),
        missing=_missing(view),
        footer="This page keeps itself up to date.",
    )
    return f"{words.headline} – {view.install.shop}", content


def _action(view: View) -> Markup:
    if view.stage not in ("needs_reauth", "stopped"):
        return Markup("")
    return fill("action", href=f"/shopify/{view.install.shop}/login", label="Log in with Shopify")


def _notice(notice: str) -> Markup:
    if notice != WEBHOOKS_NOTICE:
        return Markup("")
    title, text = wording.NO_WEBHOOKS
    return fill("notice", title=title, text=text)


def _steps(view: View) -> Markup:
    stage, published = view.stage, view.is_published
    lost = stage == "needs_reauth"
    connected = _step("stuck" if lost else "done", "Connected", _moment(view.install.installed_at, view.now))
    if published:
        read = _step("done", "Catalog read", _moment(view.read_at, view.now))
    elif lost:
        read = _step("later", "Catalog read", "after the next login")
    elif stage in ("waiting", "stopped"):
        read = _step("stuck", "Catalog read", wording.STAGES[stage].step)
    else:
        read = _step("now", "Catalog read", wording.STAGES[stage].step)
    if published:
        shown = _step("done", "Published", "SalesBot answers shoppers from this catalog")
    else:
        shown = _step("later", "Published", "SalesBot can answer shoppers once this is done")
    return joined([connected, read, shown])


def _step(mood: str, title: str, text: str) -> Markup:
    return fill("step", mood=mood, title=title, said=wording.MOODS[mood], text=text)


def _moment(moment: datetime | None, now: datetime) -> Markup:
    if moment is None:
        return Markup("")
    return fill("time", iso=moment.isoformat(), exact=_exact(moment), text=wording.ago(moment, now))


def _exact(moment: datetime) -> str:
    return f"{moment:%d %b %Y at %H:%M} UTC"


def _counts(view: View) -> Markup:
    if view.manifest is None or view.read_at is None:
        return Markup("")
    figures = [
        fill("figure", name=wording.counted(name, number), number=f"{number:,}")
        for name in _COUNTED
        for number in (view.manifest.counts.get(name, 0),)
    ]
    return fill("counts", figures=joined(figures), exact=_exact(view.read_at))


def _missing(view: View) -> Markup:
    if not view.omissions:
        return Markup("")
    gaps = [fill("gap", what=what, advice=advice) for what, advice in wording.gaps(view.omissions)]
    return fill("missing", gaps=joined(gaps))
