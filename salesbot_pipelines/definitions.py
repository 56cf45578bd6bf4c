"""Dagster's door: everything in `defs/` put together.

`build_definitions` is the seam for tests: it takes the program as a plain object.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import dagster as dg

from salesbot_pipelines.defs.assets import catalog_assets
from salesbot_pipelines.defs.checks import fleet, fleet_job
from salesbot_pipelines.defs.jobs import catalog_job, refresh_due
from salesbot_pipelines.defs.resources import ProgramResource, spaces_resource
from salesbot_pipelines.defs.schedules import daily_refresh, hourly_fleet
from salesbot_pipelines.defs.sensors import fleet_after_refresh, installed_shops, webhook_events
from salesbot_pipelines.errors import SettingsError
from salesbot_pipelines.settings import Settings, load_settings


def build_definitions(*, program: object | None = None, environ: Mapping[str, str] | None = None) -> dg.Definitions:
    """Put the definitions together; `program` replaces the one that is opened from the environment."""
    settings = _settings(os.environ if environ is None else environ)
    return dg.Definitions(
        # For backfills too: a process a step costs six times the CPU, and the batch is one step.
        executor=dg.in_process_executor,
        assets=[catalog_assets(settings.batch_size), fleet],
        jobs=[catalog_job, refresh_due, fleet_job],
        schedules=[daily_refresh(settings.schedule, settings.batch_size), hourly_fleet],
        sensors=[webhook_events, installed_shops, fleet_after_refresh],
        resources={
            "program": ProgramResource() if program is None else program,
            "spaces": spaces_resource(),
        },
    )


def _settings(environ: Mapping[str, str]) -> Settings:
    try:
        return load_settings(environ)
    except SettingsError as error:
        # Dagster shows an exception's text alone: let it say what to do, too.
        raise SettingsError(error.public_text) from None


# The nets for clients that dagster-aws builds without any hook (the compute log store): with boto3's
# default checksums a Space refuses every upload over TLS with 411.
os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
os.environ.setdefault("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")

defs = build_definitions()
