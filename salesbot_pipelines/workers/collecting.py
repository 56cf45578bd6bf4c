"""How often Python looks for cycles while catalogues are made."""

import gc

_COLLECT_AFTER = 50_000


def collect_seldom() -> None:
    """Let it look seldom: nodes are trees, and looking after every 700 takes a sixth of a refresh and finds none."""
    gc.set_threshold(_COLLECT_AFTER, 50, 100)
