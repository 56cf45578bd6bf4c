"""A sample of the fault matrix; `fault_matrix.py` run as a script tries every fault at every call.

Its report lies in test-artefacts/ after the run.
"""

import os
from pathlib import Path

import pytest

from salesbot_pipelines_tests.refresh.fault_matrix import CALLS, FAULTS, cases, open_matrix, report, sample

CASES = sample(cases(), 2 * len(FAULTS))
HOLES = 20


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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_at_a_call(matrix, case):
    result = matrix.run(case)
    matrix.results.append(result)
    assert result.wrong == "", result.said
    if case.times == 1 and not case.fault.stays:
        assert result.ending == "right", "what passes by itself costs nothing but time"
    elif case.fault.action in ("unauthorized", "freeze", "status", "wrong_version", "redirect"):
        assert result.ending == "old"


@pytest.mark.parametrize("nth", range(HOLES))
def test_a_null_in_an_answer(matrix, nth):
    holes = sample(matrix.holes(), HOLES)
    result = matrix.run(holes[nth])
    matrix.results.append(result)
    assert result.wrong == "", f"{holes[nth].name}: {result.said}"
