"""Times become UTC with a Z, exactly."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesbot_pipelines.catalog.normalise.moment import EPOCH, moment


@pytest.mark.parametrize(
    ("given_text", "written"),
    [
        ("2026-06-30T14:55:42Z", "2026-06-30T14:55:42Z"),
        ("2026-05-11T11:02:26-04:00", "2026-05-11T15:02:26Z"),
        ("2024-09-14T13:48:12+08:00", "2024-09-14T05:48:12Z"),
        ("2024-09-14T13:48:12+0530", "2024-09-14T08:18:12Z"),
        ("2024-09-14T05:48:12.000Z", "2024-09-14T05:48:12Z"),
        ("2026-05-11T15:06:59.110521905Z", "2026-05-11T15:06:59.110521905Z"),
        ("2026-05-11T15:06:59.5000-01:00", "2026-05-11T16:06:59.5Z"),
        ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"),
        ("2026-01-01t00:00:00z", "2026-01-01T00:00:00Z"),
        ("2026-01-01 00:00:00Z", "2026-01-01T00:00:00Z"),
        ("0999-01-01T00:00:00Z", "0999-01-01T00:00:00Z"),
    ],
)
def test_every_spelling_becomes_one(given_text, written):
    assert moment(given_text) == written


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "yesterday",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:01Z",
            "2026-01-01T00:00:60Z",
        ),
        *(
            "2026-01-01T00:00:00",
            "2026-01-01",
            "2026-W01-1T00:00:00Z",
            "2026-01-01T00:00:00+25:00",
            "2026-01-01T00:00:00.Z",
        ),
        *(
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "2026-01-01T00:00:00Z\n",
            "٢٠٢٦-01-01T00:00:00Z",
            None,
            5,
        ),
    ],
)
def test_what_is_no_time_is_none(text):
    assert moment(text) is None


def test_the_epoch_is_a_time_of_the_contract():
    assert moment(EPOCH) == EPOCH


@settings(max_examples=150, deadline=None)
@given(
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)),
    st.integers(min_value=-1439, max_value=1439),
)
def test_the_instant_stays_the_same(naive, minutes):
    aware = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    written = moment(aware.isoformat())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", written)
    assert datetime.fromisoformat(written) == aware.astimezone(UTC)
