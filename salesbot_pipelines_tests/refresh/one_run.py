"""One run of the use case for the small shop, and how its work stands."""

from __future__ import annotations

import threading

from salesbot_pipelines.refresh.batch import Batch
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN


def run(rig, *, stop=None, progress=lambda *_: None, **batch):
    wanted = Batch(**{"shops": (DOMAIN,), "trigger": "manual", **batch})
    return rig.program.refresh.run(DOMAIN, wanted, progress, stop or threading.Event())


def status(rig):
    return rig.program.work.status(DOMAIN)
