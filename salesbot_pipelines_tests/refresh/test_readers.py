"""Whoever reads the document while it is published sees one whole catalogue, the one before or the one after."""

import pytest

from salesbot_pipelines_tests.refresh.readers import look, open_publisher, publish_and_read


@pytest.fixture(scope="module")
def publisher(tmp_path_factory):
    with open_publisher(tmp_path_factory.mktemp("readers") / "home") as opened:
        yield opened


def test_a_reader_in_a_loop_sees_one_whole_document(publisher):
    """The script beside this file does it a thousand times."""
    mine, theirs = publish_and_read(publisher, 200)
    assert (mine.wrong, theirs.wrong) == ("", "")
    assert mine.looks > 20
    assert theirs.looks > 20
    assert set(mine.names) | set(theirs.names) == {"Small 0", "Small 1"}


def test_the_look_knows_a_document_that_is_not_whole(publisher):
    content, revisions = publisher.store.read(publisher.keys.document), publisher.revisions
    assert look(content, revisions)[1] == ""
    assert "no JSON" in look(content[: len(content) // 2], revisions)[1]
    assert "revision" in look(content.replace(b'"revision":"sha256:', b'"revision":"sha256:0'), revisions)[1]
    assert "other" in look(content.replace(b'"Product 1"', b'"Product 0"'), revisions)[1]
