"""A sample of the fault matrix; `fault_matrix.py` run as a script tries every fault at every call.

Its report lies in test-artefacts/ after the run.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

from salesbot_pipelines_tests.refresh.fault_cases import (
    BULK_CALLS,
    BULK_FAULTS,
    CALLS,
    FAULTS,
    MOVING_CALLS,
    cases,
    sample,
)
from salesbot_pipelines_tests.refresh.fault_matrix import open_matrix, report
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, move

STILL = [case for case in cases() if case.situation != "moving"]
MOVING = sample([case for case in cases() if case.situation == "moving"], 9)
CASES = sample(STILL, len(FAULTS) + len(BULK_FAULTS))
HOLES = 10


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    with open_matrix(tmp_path_factory.mktemp("matrix") / "home") as opened:
        results = []
        opened.results = results
        yield opened
    if results:
        folder = Path("test-artefacts")
        folder.mkdir(exist_ok=True)
        worker = os.environ.get("PYTEST_XDIST_WORKER", "all")
        (folder / f"fault-matrix-{worker}.md").write_text(report(results))


def test_the_calls_are_those_of_a_refresh(matrix):
    assert dict(matrix.counted) == CALLS
    calls = matrix.rig.server.sandbox.calls
    calls.clear()
    matrix.rig.publish(DOMAIN, method="bulk", full=True)
    counted = Counter(call.operation for call in calls.of(DOMAIN))
    assert {operation: counted[operation] for operation in BULK_CALLS if operation != "bulk_download"} == {
        operation: count for operation, count in BULK_CALLS.items() if operation != "bulk_download"
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_at_a_call(matrix, case):
    result = matrix.run(case)
    matrix.results.append(result)
    assert result.wrong == "", result.said
    if case.situation == "bulk" and case.fault.action.startswith("bulk_"):
        assert result.ending == "right", "pages are read instead"
    elif case.times == 1 and not case.fault.stays:
        assert result.ending == "right", "what passes by itself costs nothing but time"
    elif case.fault.action in ("unauthorized", "freeze", "status", "wrong_version", "redirect"):
        assert result.ending == "old"


@pytest.fixture(scope="module")
def moving_matrix(tmp_path_factory):
    with open_matrix(tmp_path_factory.mktemp("moving") / "home") as opened:
        yield opened


def test_the_calls_of_a_read_that_is_overtaken(moving_matrix):
    moving_matrix.renew()
    calls = moving_matrix.rig.server.sandbox.calls
    calls.clear()
    move(moving_matrix.rig.server.sandbox.faults)
    moving_matrix.rig.publish(DOMAIN, method="paged")
    counted = Counter(call.operation for call in calls.of(DOMAIN))
    assert {operation: counted[operation] for operation in MOVING_CALLS} == MOVING_CALLS


@pytest.mark.parametrize("case", MOVING, ids=lambda case: case.name)
def test_a_fault_at_a_call_while_the_shop_moves(moving_matrix, case):
    result = moving_matrix.run(case)
    assert result.wrong == "", result.said


@pytest.mark.parametrize("nth", range(HOLES))
def test_a_null_in_an_answer(matrix, nth):
    holes = sample(matrix.holes(), HOLES)
    result = matrix.run(holes[nth])
    matrix.results.append(result)
    assert result.wrong == "", f"{holes[nth].name}: {result.said}"
