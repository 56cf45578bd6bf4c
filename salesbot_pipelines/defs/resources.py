"""What assets, sensors and schedules work with, built from the environment when a run begins.

Nothing is read or opened while definitions load, so they load and validate with no variable set. Secrets are
named here by their variables only; Dagster serves plain values of a resource to its UI.
"""

from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource
from pydantic import PrivateAttr

from salesbot_pipelines.refresh.program import Program, open_program
from salesbot_pipelines.settings import load_settings
from salesbot_pipelines.spaces.s3 import shared_client


class ProgramResource(dg.ConfigurableResource[Program]):
    """Hands out the program: settings, state, store and the use case, opened once a process and run."""

    _program: Program | None = PrivateAttr(default=None)

    def create_resource(self, context: dg.InitResourceContext) -> Program:  # noqa: ARG002
        """Open the program from the environment.

        Raises `SettingsError` naming the variable that is missing or malformed.
        """
        self._program = open_program(load_settings())
        return self._program

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Close connections."""
        if self._program is not None:
            self._program.close()


class SpacesResource(S3Resource):
    """dagster-aws's S3 resource for a Space: its fields, our configured client.

    The resource as shipped has no field for checksum settings, addressing or time-outs and cannot upload to
    a Space over TLS.
    """

    def get_client(self) -> Any:
        """Give the process's client for the Space of the settings."""
        return shared_client(load_settings().spaces)


def spaces_resource() -> SpacesResource:
    """Build the resource; keys and secret are named, not read."""
    return SpacesResource(
        region_name=dg.EnvVar("SPACES_REGION"),
        endpoint_url=dg.EnvVar("SPACES_ENDPOINT"),
        aws_access_key_id=dg.EnvVar("SPACES_KEY"),
        aws_secret_access_key=dg.EnvVar("SPACES_SECRET"),
    )
