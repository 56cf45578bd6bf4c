"""What else the machine does: figures of a busy machine are worth less, so every benchmark says it first."""

from __future__ import annotations

import os
import platform


def tell_load() -> str:
    """Print the load before anything is measured; give the line, for the foot of a chart."""
    line = (
        f"load average {os.getloadavg()[0]:.1f} at the start, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}"
    )
    print(line, flush=True)
    return line
