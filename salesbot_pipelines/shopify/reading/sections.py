"""Reading one entity, or saying that it was not read."""

from __future__ import annotations

from collections.abc import Callable

from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.holes import SectionUnread


def may_read(reading: Reading, entity: str, scope: str) -> bool:
    """Say whether the scope is granted; name the entity as omitted when it is not."""
    if reading.granted(scope):
        return True
    reading.holes.add(entity, "access_denied", f"{scope} is not granted")
    return False


def read_section(reading: Reading, entity: str, *steps: Callable[[], None]) -> bool:
    """Read an entity; when its listing is null, take back what was written of it and name it as omitted."""
    try:
        for step in steps:
            step()
    except SectionUnread as unread:
        reading.holes.add_problem(entity, unread.problem)
        reading.sink.restart(entity)
        return False
    reading.read.append(entity)
    return True
