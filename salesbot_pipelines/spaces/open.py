"""Which object store the settings ask for.

The doors call this once and hand the store down; nothing below them chooses.
"""

from __future__ import annotations

from salesbot_pipelines.settings import Settings
from salesbot_pipelines.spaces.local import LocalStore
from salesbot_pipelines.spaces.store import ObjectStore, OnRequest

__all__ = ["open_store"]


def open_store(settings: Settings, *, on_request: OnRequest | None = None) -> ObjectStore:
    """Return the Space when SPACES_BUCKET is set, else the folder `objects` in SALESBOT_HOME. Asks nothing yet."""
    if settings.spaces.bucket:
        # Here, because boto3 takes a third of a second to import and the local folder does not need it.
        from salesbot_pipelines.spaces.s3 import SpacesStore, shared_client

        return SpacesStore(shared_client(settings.spaces), settings.spaces.bucket, on_request=on_request)
    return LocalStore(settings.home / "objects", on_request=on_request)
