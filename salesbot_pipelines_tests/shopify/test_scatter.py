"""Lines spread over parts: what belongs together lies in one of them, the parts are in order and alike in size."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesbot_pipelines.shopify.reading import scatter
from salesbot_pipelines.shopify.reading.bulk_lines import number_of_kind
from salesbot_pipelines.shopify.reading.scatter import Scatter, cuts_for, parts_for, read_part, remove_part


@given(
    st.lists(st.tuples(st.integers(0, 10**13), st.binary(max_size=30).filter(lambda b: b"\n" not in b))),
    st.lists(st.integers(0, 10**13), max_size=8, unique=True).map(sorted),
)
def test_lines_of_one_number_stay_together_and_parts_are_in_order(
    tmp_path_factory: pytest.TempPathFactory, lines, cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("scatter")
    spread = Scatter(folder, "x", cuts)
    for place, (number, line) in enumerate(lines):
        spread.put(number, b"%d %d " % (number, place) + line + b"\n")
    spread.close()
    found = [read_part(folder, "x", part) for part in range(len(cuts) + 1)]
    assert sorted(line for part in found for line in part) == sorted(
        b"%d %d " % (number, place) + line + b"\n" for place, (number, line) in enumerate(lines)
    )
    bounds = [-1, *cuts, 10**18]
    for low, high, part in zip(bounds, bounds[1:], found, strict=False):
        heads = [tuple(map(int, line.split()[:2])) for line in part]
        assert all(low <= number < high for number, _ in heads)
        for number in {number for number, _ in heads}:
            places = [place for one, place in heads if one == number]
            assert places == sorted(places)


@pytest.mark.parametrize(("shuffled", "alike"), [(False, lambda lines: sum(map(len, lines))), (True, len)])
def test_parts_are_alike_in_size_in_whatever_order_lines_come(
    tmp_path: Path, shuffled: bool, alike: Callable[[list[bytes]], int]
) -> None:
    """In bytes, or in lines where no line is like the one before."""
    chance = random.Random(7)
    # The later half of the objects has nearly all the bytes, and numbers are not evenly spaced.
    lines = [b"%d %s\n" % (number**2, b"x" * (20 if number < 4_000 else 400)) for number in range(8_000)]
    if shuffled:
        chance.shuffle(lines)
    path = tmp_path / "result"
    path.write_bytes(b"".join(lines))
    cuts = cuts_for(path, 8, lambda line: int(line.split()[0]))
    assert len(cuts) == 7
    spread = Scatter(tmp_path, "x", cuts)
    for line in lines:
        spread.put(int(line.split()[0]), line)
    spread.close()
    sizes = [alike(read_part(tmp_path, "x", part)) for part in range(8)]
    assert max(sizes) < 1.5 * sum(sizes) / 8


def test_a_result_that_says_nothing_of_numbers_is_one_part(tmp_path: Path) -> None:
    path = tmp_path / "result"
    path.write_bytes(b"not json\n" * 90)
    assert cuts_for(path, 8, partial(number_of_kind, "Product")) == ()
    path.write_bytes(b"")
    assert cuts_for(path, 8, partial(number_of_kind, "Product")) == ()


def test_a_single_cut_is_half_way(tmp_path: Path) -> None:
    path = tmp_path / "result"
    path.write_bytes(b"".join(b"%d\n" % number for number in range(1_000, 9_000)))
    (cut,) = cuts_for(path, 2, int)
    assert 4_500 < cut < 5_500
    assert cuts_for(path, 1, int) == ()


def test_few_bytes_wait_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over all parts together, so that a result in order, which fills one part at a time, costs few writes."""
    monkeypatch.setattr(scatter, "_GATHERED_BYTES", 100)
    spread = Scatter(tmp_path, "x", [5])
    for _ in range(49):
        spread.put(1, b"a\n")
    assert read_part(tmp_path, "x", 0) == []
    spread.put(9, b"b\n")
    assert (len(read_part(tmp_path, "x", 0)), read_part(tmp_path, "x", 1)) == (49, [b"b\n"])
    for _ in range(49):
        spread.put(9, b"c\n")
    assert read_part(tmp_path, "x", 1) == [b"b\n"]
    spread.close()
    assert len(read_part(tmp_path, "x", 1)) == 50


def test_parts_are_gone_on_with_or_begun_anew(tmp_path: Path) -> None:
    for anew, expected in ((False, [b"a\n"]), (False, [b"a\n", b"a\n"]), (True, [b"a\n"])):
        spread = Scatter(tmp_path, "x", (), anew=anew)
        spread.put(1, b"a\n")
        spread.close()
        assert read_part(tmp_path, "x", 0) == expected
    remove_part(tmp_path, "x", 0)
    assert list(tmp_path.iterdir()) == []
    remove_part(tmp_path, "x", 0)


def test_parts_grow_with_the_file_and_are_bounded() -> None:
    assert parts_for(0) == 1
    assert parts_for(scatter.PART_BYTES + 1) == 2
    assert parts_for(10**12) == 256
