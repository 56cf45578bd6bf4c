"""What changed between two catalogues, in one pass over both."""

import itertools
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesbot_pipelines.catalog.changes import Change, Changes, all_added, changes, walk_changes

CATALOGUES = st.dictionaries(
    st.integers(0, 30) | st.just(788032119674292922),
    st.tuples(st.sampled_from("ab"), st.sampled_from("xy")),
    max_size=8,
)


def rows(catalogue):
    return [(str(number), *catalogue[number]) for number in sorted(catalogue)]


def test_added_changed_and_removed_in_order_of_id():
    old = [("2", "h", "Two"), ("9", "h", "Nine"), ("10", "h", "Ten")]
    new = [("1", "h", "One"), ("9", "g", "Neuf"), ("10", "h", "Dix")]
    assert list(walk_changes(old, new)) == [
        Change("added", "1", "One"),
        Change("removed", "2", "Two"),
        Change("changed", "9", "Neuf"),
    ]
    assert changes(old, new) == Changes(
        1, 1, 1, (Change("added", "1", "One"), Change("removed", "2", "Two"), Change("changed", "9", "Neuf"))
    )
    assert changes(old, new).total == 3


@settings(max_examples=200, deadline=None)
@given(CATALOGUES, CATALOGUES)
def test_it_is_what_two_dictionaries_say(old, new):
    found = list(walk_changes(rows(old), rows(new)))
    assert [one.legacy_id for one in found if one.kind == "added"] == [
        str(n) for n in sorted(new.keys() - old.keys())
    ]
    assert [one.legacy_id for one in found if one.kind == "removed"] == [
        str(n) for n in sorted(old.keys() - new.keys())
    ]
    assert [one.legacy_id for one in found if one.kind == "changed"] == [
        str(n) for n in sorted(old.keys() & new.keys()) if old[n][0] != new[n][0]
    ]
    assert [int(one.legacy_id) for one in found] == sorted(int(one.legacy_id) for one in found)


@pytest.mark.parametrize("samples", [0, 1, 3])
def test_samples_are_bounded_by_kind(samples):
    old = [(str(n), "h", "t") for n in range(10)]
    new = [(str(n), "g", "t") for n in range(5, 15)]
    found = changes(old, new, samples=samples)
    assert (found.added, found.changed, found.removed) == (5, 5, 5)
    assert len(found.samples) == 3 * samples


def test_every_change_is_noted_also_beyond_the_samples():
    noted = []
    new = [(str(n), "h", "t") for n in range(30)]
    found = changes([], new, note=noted.append)
    assert [one.legacy_id for one in noted] == [row[0] for row in new]
    assert len(found.samples) == 20


@pytest.mark.parametrize("ids", [("2", "1"), ("1", "1"), ("10", "9")])
@pytest.mark.parametrize("side", ["old", "new"])
def test_rows_out_of_order_are_refused(ids, side):
    wrong = [(one, "h", "t") for one in ids]
    with pytest.raises(ValueError, match="ascend"):
        changes(**({"old": [], "new": []} | {side: wrong}))


def test_memory_does_not_grow_with_the_catalogue():
    def peak(size):
        tracemalloc.start()
        changes(
            ((str(n), "h", "t") for n in range(size)),
            ((str(n), "g", "t") for n in itertools.islice(range(size), size)),
        )
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(100)
    assert peak(20_000) < peak(200) + 50_000


@given(st.dictionaries(st.integers(0, 99), st.tuples(st.sampled_from("ab"), st.sampled_from("xy")), max_size=60))
def test_a_first_catalogue_has_the_changes_from_none(catalogue):
    assert all_added(iter(rows(catalogue)), len(catalogue)) == changes(iter(()), rows(catalogue))
