"""Our definitions on an instance of their own, run in the test's process over the rig's program."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from salesbot_pipelines.definitions import build_definitions
from salesbot_pipelines.defs.assets import ASSET_NAMES
from salesbot_pipelines.defs.schedules import RANGE_END, RANGE_START
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines_tests.rig import Rig

REFRESHED = ("products", "discounts", "collections", "shopify_data")
"""The assets that are made again from stored raw objects."""


def name_of(number: int) -> str:
    return f"fleet-{number:02d}.myshopify.com"


def add_shops(rig: Rig, count: int, *, first: int = 0, products: int = 3) -> list[str]:
    """Put small shops into the world and connect them."""
    numbers = range(first, first + count)
    for number in numbers:
        shop = make_synthetic(rig.world.clock, name_of(number), products=products, variants=2, collections=1)
        rig.world.add(shop)
    return [rig.connect(name_of(number)) for number in numbers]


@dataclass
class Dagster:
    """The definitions, the instance, and the words of the tests for what an analyst does."""

    rig: Rig
    instance: dg.DagsterInstance

    @functools.cached_property
    def definitions(self) -> dg.Definitions:
        return build_definitions(program=self.rig.program, environ={})

    def fleet_of(self, count: int) -> list[str]:
        """Connect small shops and make them partitions, as the sensor would."""
        shops = add_shops(self.rig, count)
        self.instance.add_dynamic_partitions("shops", shops)
        return shops

    def run(
        self,
        job: str,
        *,
        shop: str | None = None,
        shops: Sequence[str] = (),
        assets: Collection[str] = (),
        tags: dict[str, str] | None = None,
        run_config: dict[str, object] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Run a job over one shop, or over the range from the first of `shops` to the last."""
        bounds = {RANGE_START: shops[0], RANGE_END: shops[-1]} if shops else {}
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=shop,
            asset_selection=[dg.AssetKey(name) for name in assets] or None,
            tags={**bounds, **(tags or {})},
            run_config=run_config,
            raise_on_error=False,
        )

    def refresh(self, *shops: str, assets: Collection[str] = ASSET_NAMES, **tags: str) -> dg.ExecuteInProcessResult:
        """Run the catalogue's job over the range from the first shop to the last."""
        return self.run("refresh_catalog", shops=shops, assets=assets, tags=tags)

    def leave(self, job: str, status: DagsterRunStatus, **run: Any) -> dg.DagsterRun:
        """Leave a run of the job lying about in that status."""
        location = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "__repository__")
        return self.instance.create_run_for_job(
            self.definitions.resolve_job_def(job),
            status=status,
            remote_job_origin=location.get_job_origin(job),
            **run,
        )

    def recorded(self, asset: str) -> set[str]:
        """Give the shops for which Dagster knows the asset as materialised."""
        return set(self.instance.get_materialized_partitions(dg.AssetKey(asset)))

    def newest(self, asset: str, shop: str) -> dg.AssetMaterialization:
        """Give the newest materialisation of the asset for the shop."""
        found = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[shop]), limit=1
        )
        materialisation = found.records[0].asset_materialization
        assert materialisation is not None
        return materialisation

    def metadata(self, asset: str, shop: str) -> dict[str, object]:
        """Give its metadata as plain values."""
        return {name: value.value for name, value in self.newest(asset, shop).metadata.items()}


def materialised_by(result: dg.ExecuteInProcessResult) -> set[tuple[str, str]]:
    """Give (asset, shop) of everything that a run recorded."""
    return {
        (event.asset_key.to_user_string(), event.partition)
        for event in result.all_events
        if event.event_type is DagsterEventType.ASSET_MATERIALIZATION and event.asset_key
    }


def failure_text(result: dg.ExecuteInProcessResult) -> str:
    """Give the text of the failure that ended the run's one step."""
    [step] = [event for event in result.all_events if event.event_type is DagsterEventType.STEP_FAILURE]
    failure = step.step_failure_data.user_failure_data
    return failure.description
