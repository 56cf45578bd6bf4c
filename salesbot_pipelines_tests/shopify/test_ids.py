"""The numbers of what was read: a sorted set, whatever order they come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesbot_pipelines.shopify.reading import ids
from salesbot_pipelines.shopify.reading.ids import Numbers

STEPS = st.lists(st.tuples(st.sampled_from(["add", "new", "discard"]), st.lists(st.integers(0, 60), max_size=12)))


@given(st.integers(1, 5), st.sets(st.integers(0, 60)), STEPS)
def test_numbers_are_a_sorted_set(block: int, first: set[int], steps) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "_BLOCK", block)
        numbers, expected = Numbers(sorted(first)), set(first)
        for step, some in steps:
            for number in some if step != "new" else ():
                if step == "add":
                    assert numbers.add(number) == (number not in expected)
                    expected.add(number)
                else:
                    numbers.discard(number)
                    expected.discard(number)
            if step == "new":
                told = numbers.new(some)
                assert [n for n, new in zip(some, told, strict=True) if new] == [
                    n for nth, n in enumerate(some) if n not in expected and n not in some[:nth]
                ]
                expected.update(some)
            assert list(numbers) == sorted(expected)
            assert len(numbers) == len(expected)
        assert [number in numbers for number in range(-1, 62)] == [number in expected for number in range(-1, 62)]
        for every in (1, 2, 3, 7):
            assert numbers.every(every) == sorted(expected)[every - 1 :: every]


def test_no_block_outgrows_its_bound() -> None:
    """What comes interleaved, as the parts of a bulk result do, moves a bounded number of others."""
    numbers = Numbers()
    for part in range(40):
        numbers.new(range(part, 40_000, 40))
    assert list(numbers) == list(range(40_000))
    assert max(map(len, numbers._blocks)) <= 2 * ids._BLOCK
