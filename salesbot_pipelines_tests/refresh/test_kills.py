"""SIGKILL in the middle of a refresh: the old document or the whole new one, and the next refresh leaves no trace.

The script beside this file, `kills.py`, does the same a hundred times and at every boundary.
"""

import random

import pytest

from salesbot_pipelines_tests.refresh.children import At
from salesbot_pipelines_tests.refresh.kills import open_slaughter

# Before each write, at the lease's own commit, and around the last one.
BOUNDARIES = [*(At("put", nth) for nth in range(1, 12)), At("commit", 2), At("commit", 16), At("commit", 17)]


@pytest.fixture(scope="module")
def slaughter(tmp_path_factory):
    with open_slaughter(tmp_path_factory.mktemp("kills") / "home") as opened:
        yield opened


def test_the_boundaries_are_those_of_a_refresh(slaughter):
    assert (slaughter.counts["put"], slaughter.counts["commit"]) == (11, 17), "else the list above is to be made anew"


@pytest.mark.parametrize("at", BOUNDARIES, ids=str)
def test_a_refresh_that_is_killed_at_a_boundary(slaughter, at):
    killed = slaughter.kill_at(at)
    assert killed.wrong == ""
    is_written = at.what == "put" and at.nth > 10
    assert killed.document == ("new" if is_written or at in BOUNDARIES[-2:] else "old")


@pytest.mark.parametrize("nth", range(20))
def test_a_refresh_that_is_killed_at_a_random_moment(slaughter, nth):
    moment = random.Random(f"kill {nth}").random() * slaughter.seconds
    assert slaughter.kill_after(moment).wrong == ""
