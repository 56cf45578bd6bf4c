"""The probe finds what is wrong with a store, says what to do about it, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from salesbot_pipelines.spaces.local import LocalStore
from salesbot_pipelines.spaces.probe import Finding, ProbeReport, probe
from salesbot_pipelines.spaces.s3 import SpacesStore
from salesbot_pipelines.spaces.store import ObjectStore
from salesbot_pipelines_tests.spaces.stub_s3 import Answer, Damage, Lost, StubS3

StubStore = Callable[..., SpacesStore]


def finding(report: ProbeReport, name: str) -> Finding:
    return next(each for each in report.findings if each.name == name)


def test_a_good_store_has_nothing_but_good_findings(store: ObjectStore) -> None:
    touched: set[str] = set()
    store._on_request = lambda verb, key: touched.add(key)
    report = probe(store)
    bad = [each for each in report.findings if each.level != "ok"]
    # moto sends no Date
    assert [each.text for each in bad] in ([], ["the store does not tell its time"])
    assert report.ok
    assert report.conditional
    assert report.url == store.url
    expected = {"write", "read", "conditions", "privacy", "delete"}
    spaces = {"clock", "place"} if isinstance(store, SpacesStore) else set()
    assert {each.name for each in report.findings} == expected | spaces
    assert not [each for each in report.findings if (each.fix and each not in bad) or "\n" in each.text]
    assert len(touched) == 2
    assert not touched & set(store.list("probes/"))


def test_it_names_region_and_addressing(stub_store: StubStore) -> None:
    assert finding(probe(stub_store()), "place").text == "region fra1, path addressing"


def test_conditions_that_are_not_enforced_are_a_warning(stub: StubS3, stub_store: StubStore) -> None:
    stub.behaviour.enforce_conditions = False
    report = probe(stub_store())
    found = finding(report, "conditions")
    assert (found.level, report.ok, report.conditional) == ("warning", True, False)
    assert "If-None-Match and If-Match" in found.text
    assert found.fix


def test_a_store_that_keeps_the_chunk_framing_is_found(stub: StubS3, stub_store: StubStore) -> None:
    stub.behaviour.framing = True
    report = probe(stub_store(attempts=1))
    assert finding(report, "read").level == "failure"
    assert "AWS_REQUEST_CHECKSUM_CALCULATION" in finding(report, "read").fix
    assert not report.ok


def test_bytes_that_change_on_the_way_are_found(stub: StubS3, stub_store: StubStore) -> None:
    stub.always = [Damage()]
    assert finding(probe(stub_store(attempts=1)), "read").level == "failure"


def test_a_public_object_is_a_failure(stub: StubS3, stub_store: StubStore) -> None:
    stub.behaviour.public = True
    found = finding(probe(stub_store()), "privacy")
    assert found.level == "failure"
    assert "private" in found.fix


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [
        (0, "ok", ""),
        (120, "warning", "behind the store's"),
        (-120, "warning", "ahead of the store's"),
        (1200, "failure", "behind the store's"),
    ],
)
def test_the_clock_is_compared(stub: StubS3, stub_store: StubStore, seconds: int, level: str, words: str) -> None:
    stub.behaviour.clock_offset = timedelta(seconds=seconds)
    found = finding(probe(stub_store()), "clock")
    assert found.level == level
    assert words in found.text


def test_the_clock_is_ours_to_set_in_tests(stub_store: StubStore) -> None:
    found = finding(probe(stub_store(), now=lambda: datetime.now(UTC) + timedelta(hours=1)), "clock")
    assert (found.level, "ahead" in found.text) == ("failure", True)


def test_a_store_that_does_not_tell_its_time(stub: StubS3, stub_store: StubStore) -> None:
    stub.behaviour.clock_offset = None
    assert finding(probe(stub_store()), "clock").level == "warning"


@pytest.mark.parametrize(
    ("status", "code", "fix"),
    [
        (403, "SignatureDoesNotMatch", "SPACES_SECRET"),
        (403, "InvalidAccessKeyId", "SPACES_KEY"),
        (404, "NoSuchBucket", "SPACES_BUCKET"),
        (503, "SlowDown", "again"),
    ],
)
def test_a_store_that_cannot_be_written_has_one_finding(
    stub: StubS3, stub_store: StubStore, status: int, code: str, fix: str
) -> None:
    stub.always = [Answer("PUT", status, code)]
    report = probe(stub_store(attempts=1))
    assert [each.name for each in report.findings] == ["write"]
    assert code in report.findings[0].text
    assert fix in report.findings[0].fix
    assert not report.ok
    assert not report.conditional


def test_a_key_that_may_not_delete_is_found(stub: StubS3, stub_store: StubStore) -> None:
    stub.always = [Answer("DELETE", 403, "AccessDenied")]
    report = probe(stub_store(attempts=1))
    assert finding(report, "delete").level == "failure"
    assert "SPACES_KEY" in finding(report, "delete").fix


def test_a_deletion_without_effect_is_found(stub: StubS3, stub_store: StubStore) -> None:
    stub.always = [Answer("DELETE", 204)]
    assert finding(probe(stub_store(attempts=1)), "delete").level == "failure"


def test_a_privacy_that_cannot_be_tried_is_no_good_finding(stub: StubS3, stub_store: StubStore) -> None:
    stub.always = [Lost("GET", 500)]
    assert finding(probe(stub_store(attempts=1)), "privacy").level == "failure"


def test_the_anonymous_look_leaves_the_client_signed(stub: StubS3, stub_store: StubStore) -> None:
    store = stub_store()
    probe(store)
    store.put("a", b"1", content_type="text/plain")
    assert store.read("a") == b"1"
    unsigned = [verb for verb, _, headers in stub.seen if "authorization" not in headers]
    assert unsigned == ["GET"]


def test_a_folder_that_others_may_enter_is_named(tmp_path: Path) -> None:
    root = tmp_path / "objects"
    root.mkdir(mode=0o755)
    found = finding(probe(LocalStore(root)), "privacy")
    assert found.level == "warning"
    assert found.fix == f"chmod go= {root}"
